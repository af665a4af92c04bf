/* Packets for one IPv4 address and port of a network namespace reach sockets that are bound elsewhere, by a
 * BPF_PROG_TYPE_SK_LOOKUP program: whatever other sockets of the namespace bind, wildcards included, neither takes the
 * place nor is in anybody's way. Sources: bpf(2), the kernel's prog_sk_lookup.rst. Linux 5.9 or newer. */
#ifndef KEG_SYS_STEER_H
#define KEG_SYS_STEER_H

#include <stdint.h>

/* address: network byte order; port: host's. udp, tcp: bound sockets of the namespace, tcp one that listens. Returns a
 * descriptor with which it ends, or -errno. Privileges: CAP_NET_ADMIN and CAP_BPF (or CAP_SYS_ADMIN).
 *
 * A datagram's answer goes out with the port that the socket is bound to: whoever wants the other one writes the header
 * by himself (a raw socket). Accepted connections have the address that they were made to. */
int steer_open(int netns, uint32_t address, uint16_t port, int udp, int tcp);

#endif
