/* A map of two sockets, and a program that chooses one of them. */
#include "sys/steer.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/bpf_internal.h"

#define FIELD(d, field)                                                                                      \
    INSN(BPF_LDX | BPF_MEM | BPF_W, d, BPF_REG_6, (short)offsetof(struct bpf_sk_lookup, field), 0)
#define MOVE64(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define CALL(helper) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, helper)

enum { KEY_UDP, KEY_TCP, KEYS, KEY_AT = -4 };

static int make_map(int udp, int tcp)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.map_type = BPF_MAP_TYPE_SOCKMAP;
    attr.key_size = sizeof(uint32_t);
    attr.value_size = sizeof(uint64_t);
    attr.max_entries = KEYS;
    _cleanup_close_ int map = bpf_call(BPF_MAP_CREATE, &attr);
    if (map < 0)
        return map;
    const uint64_t sockets[KEYS] = {[KEY_UDP] = (uint64_t)udp, [KEY_TCP] = (uint64_t)tcp};
    for (uint32_t key = 0; key < KEYS; key++) {
        memset(&attr, 0, sizeof(attr));
        attr.map_fd = (uint32_t)map;
        attr.key = (uint64_t)(uintptr_t)&key;
        attr.value = (uint64_t)(uintptr_t)&sockets[key];
        int r = bpf_call(BPF_MAP_UPDATE_ELEM, &attr);
        if (r < 0)
            return r;
    }
    return take_fd(&map);
}

/* r6: the packet; r7: the socket. What isn't ours, and what can't be assigned, goes its usual way. */
static int load_program(uint32_t address, uint16_t port, int map)
{
    const struct bpf_insn program[] = {
        MOVE64(BPF_REG_6, BPF_REG_1),
        FIELD(BPF_REG_2, local_port),
        JUMP_IF(BPF_JNE, BPF_REG_2, port, 19),
        FIELD(BPF_REG_2, local_ip4),
        INSN(BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_2, 0, 17, (int32_t)address),
        INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, KEY_AT, KEY_TCP),
        FIELD(BPF_REG_2, protocol),
        JUMP_IF(BPF_JEQ, BPF_REG_2, IPPROTO_TCP, 1),
        INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, KEY_AT, KEY_UDP),
        INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map),
        INSN(0, 0, 0, 0, 0),
        MOVE64(BPF_REG_2, BPF_REG_10),
        INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, KEY_AT),
        CALL(BPF_FUNC_map_lookup_elem),
        JUMP_IF(BPF_JEQ, BPF_REG_0, 0, 7),
        MOVE64(BPF_REG_7, BPF_REG_0),
        MOVE64(BPF_REG_1, BPF_REG_6),
        MOVE64(BPF_REG_2, BPF_REG_0),
        MOVE_IMM(BPF_REG_3, 0),
        CALL(BPF_FUNC_sk_assign),
        MOVE64(BPF_REG_1, BPF_REG_7),
        CALL(BPF_FUNC_sk_release),
        MOVE_IMM(BPF_REG_0, SK_PASS),
        EXIT_INSN,
    };
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.prog_type = BPF_PROG_TYPE_SK_LOOKUP;
    attr.expected_attach_type = BPF_SK_LOOKUP;
    return bpf_load(&attr, program, ARRAY_SIZE(program));
}

int steer_open(int netns, uint32_t address, uint16_t port, int udp, int tcp)
{
    _cleanup_close_ int map = make_map(udp, tcp);
    if (map < 0)
        return map;
    _cleanup_close_ int program = load_program(address, port, map);
    if (program < 0)
        return program;
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.link_create.prog_fd = (uint32_t)program;
    attr.link_create.target_fd = (uint32_t)netns;
    attr.link_create.attach_type = BPF_SK_LOOKUP;
    return bpf_call(BPF_LINK_CREATE, &attr);
}
