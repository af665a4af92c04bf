/* Signals: one table. */
#include "engine/signals.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <strings.h>

#include "base/str.h"

enum { RTMIN = 34, RTMAX = 64 };

static const struct {
    const char *name;
    int number;
} names[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},       {"QUIT", SIGQUIT},     {"ILL", SIGILL},   {"TRAP", SIGTRAP},
    {"ABRT", SIGABRT}, {"IOT", SIGIOT},       {"BUS", SIGBUS},       {"FPE", SIGFPE},   {"KILL", SIGKILL},
    {"USR1", SIGUSR1}, {"SEGV", SIGSEGV},     {"USR2", SIGUSR2},     {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},
    {"TERM", SIGTERM}, {"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD},     {"CLD", SIGCHLD},  {"CONT", SIGCONT},
    {"STOP", SIGSTOP}, {"TSTP", SIGTSTP},     {"TTIN", SIGTTIN},     {"TTOU", SIGTTOU}, {"URG", SIGURG},
    {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ},     {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF}, {"WINCH", SIGWINCH},
    {"IO", SIGIO},     {"POLL", SIGPOLL},     {"PWR", SIGPWR},       {"SYS", SIGSYS},
};

/* "RTMIN", "RTMIN+2", "RTMAX-1" */
static bool parse_realtime(const char *text, int *ret)
{
    bool from_min = strncasecmp(text, "RTMIN", 5) == 0;
    if (!from_min && strncasecmp(text, "RTMAX", 5) != 0)
        return false;
    uint32_t offset = 0;
    const char *rest = text + 5;
    if (*rest &&
        (*rest != (from_min ? '+' : '-') || str_to_u32(rest + 1, &offset) < 0 || offset > RTMAX - RTMIN))
        return false;
    *ret = from_min ? RTMIN + (int)offset : RTMAX - (int)offset;
    return true;
}

int signal_parse(const char *text, int *ret, struct err *err)
{
    uint32_t number;
    if (str_to_u32(text, &number) == 0 && number > 0 && number <= RTMAX) {
        *ret = (int)number;
        return 0;
    }
    const char *bare = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcasecmp(names[i].name, bare) == 0) {
            *ret = names[i].number;
            return 0;
        }
    if (parse_realtime(bare, ret))
        return 0;
    return err_set(err, ERR_INVALID, "invalid signal: %.64s", text);
}

const char *signal_text(int number, char out[16])
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i].number == number) {
            snprintf(out, 16, "SIG%s", names[i].name);
            return out;
        }
    snprintf(out, 16, "%d", number);
    return out;
}
