/* What those who write programs share. Not for others. */
#ifndef KEG_SYS_BPF_INTERNAL_H
#define KEG_SYS_BPF_INTERNAL_H

#include <linux/bpf.h>
#include <stddef.h>

#define INSN(c, d, s, o, i)                                                                                  \
    ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOVE_IMM(d, i)          INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define JUMP_IF(op, d, i, skip) INSN(BPF_JMP | (op) | BPF_K, d, 0, (short)(skip), i)
#define EXIT_INSN               INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

int bpf_call(int command, union bpf_attr *attr);
/* Loads a program whose type is in *attr: its descriptor. */
int bpf_load(union bpf_attr *attr, const struct bpf_insn *program, size_t length);

#endif
