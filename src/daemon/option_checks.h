/* What the values of kegd's options must look like, beyond their type; rows of the table name these. Each returns 0, or -1 with
 * the reason, in dockerd's words where it has some; option and value are added by the caller. */
#ifndef KEG_DAEMON_OPTION_CHECKS_H
#define KEG_DAEMON_OPTION_CHECKS_H

#include <stdint.h>

#include "base/err.h"

int check_host(const char *text, struct err *why);
int check_bip(const char *text, struct err *why);
int check_cidr6(const char *text, struct err *why);
int check_dns(const char *text, struct err *why);
int check_dns_search(const char *text, struct err *why);
int check_not_empty(const char *text, struct err *why);
int check_mtu(const char *text, struct err *why);
int check_mirror(const char *text, struct err *why);
int check_insecure(const char *text, struct err *why);
int check_label(const char *text, struct err *why);
int check_cgroup_parent(const char *text, struct err *why);
int check_seccomp(const char *text, struct err *why);

/* An IPv4 or IPv6 address with the length of its network's prefix. 0 or -EINVAL. */
int check_parse_ipv4(const char *text, uint32_t *ret_address, uint32_t *ret_prefix);
int check_parse_ipv6(const char *text, uint32_t *ret_prefix);

#endif
