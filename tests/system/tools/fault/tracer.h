/* Runs a program under ptrace, counts the kernel calls of each of its processes, and at one of them interferes: makes it
 * fail, kills the process, or calls back before and after it.
 *
 * Processes are numbered in the order of their birth, from 0; calls of each from 1. Both are the same in every run, as
 * long as the processes don't depend on each other's speed. A process other than the first that executes a program (the
 * container's own, a hook) is let go; so is one that waits for connections (an init that waits to be started).
 * Calls that can't fail aren't counted. */
#ifndef KEG_TESTS_FAULT_TRACER_H
#define KEG_TESTS_FAULT_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum { TRACE_PROCESSES_MAX = 64, TRACE_TEXT_MAX = 16384 };

enum trace_action { TRACE_WATCH, TRACE_FAIL, TRACE_KILL, TRACE_CALL };

/* One call, as it begins. */
struct trace_call {
    unsigned process, number;
    pid_t pid;
    long nr;
    uint64_t args[6];
};

struct trace_plan {
    enum trace_action action;
    unsigned process, number; /* where */
    unsigned variant;         /* TRACE_FAIL: which of the errors that the call may have */
    pid_t attach;             /* traced as well, as process 1 (an init that waits); 0: none */
    int timeout_ms;
    /* TRACE_CALL: before the call; when it has been made. after may be NULL. */
    void (*before)(void *data), (*after)(void *data);
    /* Every call, whatever the action; may be NULL. */
    void (*each)(const struct trace_call *call, void *data);
    void *data;
};

struct trace_result {
    bool reached;                /* there was such a call */
    bool hung;                   /* not done in time: everything was killed */
    int status;                  /* of the first process, as of waitpid() */
    int errnum;                  /* TRACE_FAIL: what the call failed with */
    char call[300];              /* that call in words */
    char output[TRACE_TEXT_MAX]; /* its standard output, also that of its children */
    char error[TRACE_TEXT_MAX];  /* its standard error */
    unsigned processes;
    unsigned calls[TRACE_PROCESSES_MAX]; /* of each process */
};

/* Runs argv. */
void trace_run(char *const argv[], const struct trace_plan *plan, struct trace_result *result);
/* Runs argv without looking at it; call is empty, calls and processes are 0. */
void trace_plain(char *const argv[], struct trace_result *result);
/* Likewise, with an output of its own: what others write meanwhile isn't in it, nor what it writes in theirs. */
void trace_aside(char *const argv[], struct trace_result *result);
/* What the programs of these two calls and all they leave running write to goes into one file; a new one from here on.
 * To be called before the first. */
void trace_new_output(void);
void trace_output(char text[TRACE_TEXT_MAX]);

/* The call's path in the other process' memory: false for a call that takes none. *ret_dirfd is AT_FDCWD where it has no
 * descriptor to start from. */
bool trace_path(const struct trace_call *call, int *ret_dirfd, char *path, size_t size);
/* Which argument of openat2() says how paths are resolved, read from the other process' memory; 0 for other calls. */
uint64_t trace_resolve_flags(const struct trace_call *call);
const char *trace_call_name(long nr);

#endif
