/* Device access in the unified hierarchy: rules become a BPF_PROG_TYPE_CGROUP_DEVICE program. Everything
 * returns 0 or more, or -errno. Source: bpf(2), the kernel's cgroup-v2.rst, "Device controller". */
#ifndef KEG_SYS_BPF_H
#define KEG_SYS_BPF_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BPF_DEVICE_ANY = -1 };

/* The bits are the kernel's BPF_DEVCG_ACC_… and BPF_DEVCG_DEV_…. */
struct bpf_device_rule {
    bool allow;
    uint32_t type;        /* BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_DEV_CHAR, or 0 for both */
    int64_t major, minor; /* or BPF_DEVICE_ANY */
    uint32_t access;      /* of BPF_DEVCG_ACC_MKNOD, READ, WRITE */
};

/* Writes the program for the rules into out, at most `max` instructions, and returns its length (-E2BIG).
 * Each requested kind of access is decided by the last rule that matches it; what none matches is denied.
 * That is what the same rules, written one after the other behind "deny all", mean to the v1 controller. */
int bpf_device_program(const struct bpf_device_rule *rules, size_t count, struct bpf_insn *out, size_t max);
/* Upper bound of instructions for `count` rules. */
size_t bpf_device_program_max(size_t count);
/* Loads a program: its descriptor. Needs CAP_SYS_ADMIN or CAP_BPF. */
int bpf_device_load(const struct bpf_insn *program, size_t length);
/* Attaches it to a cgroup v2 directory in place of the ones attached there before: at no moment is none. */
int bpf_device_attach(int cgroup, int program);

#endif
