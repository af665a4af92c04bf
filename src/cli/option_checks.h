/* What an option's value may be, by its kind, with the words of the Go libraries and of docker: "time: missing unit in duration
 * \"5\"". A check is 0, or -1 with what is wrong in err's message (ERR_INVALID). */
#ifndef KEG_CLI_OPTION_CHECKS_H
#define KEG_CLI_OPTION_CHECKS_H

#include <stdint.h>

#include "base/err.h"

typedef int option_check(const char *value, struct err *err);

/* Values of one kind of thing. */
option_check option_check_bool, option_check_int, option_check_uint16, option_check_bytes, option_check_swap,
    option_check_decimal, option_check_duration, option_check_filter, option_check_pairs;

/* What containers are made of (option_checks_create.c). */
option_check option_check_env, option_check_label, option_check_host, option_check_sysctl, option_check_link,
    option_check_stream, option_check_address, option_check_domain, option_check_device_rule,
    option_check_weight, option_check_bps, option_check_iops;

/* An integer as Go reads literals: a sign, then digits of base 10, or behind 0x, 0o (0), 0b. 0, -EINVAL or -ERANGE. */
int option_parse_int(const char *text, int64_t *ret);
/* The same in base 10 without a sign, up to `most`. */
int option_parse_uint(const char *text, uint64_t most, uint64_t *ret);
/* Billionths of a decimal ("1.5", "1e-1") or a fraction ("1/2"). 0, -EINVAL, or -EDOM when they are no whole number. */
int option_parse_nano(const char *text, int64_t *ret);

#endif
