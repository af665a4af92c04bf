/* keg-layer: one tar stream in or out of one layer. Started by kegd for each, never by people.
 *
 * Archives come from strangers, and unpacking them needs root's powers over files. So this happens apart:
 *
 *   1. spawned with an empty environment and the descriptors of worker/protocol.h, nothing else;
 *   2. namespaces of its own: mounts, network (none), pids, IPC, host name; a fork into the pid namespace,
 *      whose first process does the work and dies with its parent;
 *   3. the layer's directory becomes the root (pivot_root; the rest of the host is detached), mounted nosuid,
 *      nodev, noexec; read-only for packing;
 *   4. every descriptor that the verb doesn't name is closed, and every one of a directory: its ".." would
 *      lead out of the new root;
 *   5. limits: no core, address space, descriptors;
 *   6. capabilities: only those that write trees (CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, MKNOD,
 *      SETFCAP, and SYS_ADMIN, without which trusted.overlay.* can't be set); no_new_privs;
 *   7. a seccomp allow-list for all threads: files of this root, memory, the threads there are. No exec, no
 *      new process or thread, no socket, mount, namespace, ptrace, bpf, ioctl, io_uring: anything else is
 *      SIGSYS.
 *
 * Only then is the first byte of the archive read. For what goes in and out of a container (look, take, put) step 3 is
 * another: a running one's mount namespace is entered, in which its root is the root; of one at rest the mounts are made.
 * Nothing in there is executed, and no library is looked for any more by then. At the end one report goes to kegd, which believes of it as
 * little as it can: digests are compared with what the manifest says. tests/unit/test_layer_sandbox.c tries to
 * break out. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "storage/worker/worker.h"

/* To add a verb: a row here, a function in worker/worker.h. */
static const struct {
    const char *name;
    int (*run)(const struct worker_options *o, struct worker_report *ret, struct err *err);
} verbs[] = {
    {"unpack", worker_unpack},           /* report, shared, input, output?, tree, pending */
    {"settle", worker_settle},           /* report, shared, tree, pending, work, lower… */
    {"pack", worker_pack},               /* report, shared, output, tree */
    {"digest", worker_digest},           /* report, shared, output, tree */
    {"export", worker_export},           /* report, shared, output, lower… */
    {"apply", worker_apply},             /* report, shared, tree, lower… */
    {"erofs", worker_erofs},             /* report, shared, output, tree */
    {"compare", worker_compare},         /* report, shared, output, tree, lower… */
    {"changes", worker_changes},         /* as compare */
    {"differences", worker_differences}, /* as compare */
    {"look", worker_look},               /* report, shared, output, tree, pending, work, lower… */
    {"take", worker_take},               /* as look */
    {"put", worker_put},                 /* report, shared, input, tree, pending, work, lower… */
};

/* Arguments in this order behind the verb, all of them numbers. */
static int parse_arguments(char **argv, struct worker_options *o)
{
    int64_t store;
    int64_t *const numbers[] = {&o->max_entries, &o->max_bytes, &o->max_ratio, &store, &o->n_lower};

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        if (!argv[i] || str_to_i64(argv[i], numbers[i]) < 0)
            return -EINVAL;
    o->store = (enum worker_store)store;
    return o->n_lower < 0 || o->n_lower > WORKER_LOWER_MAX ? -EINVAL : 0;
}

static int run(char **argv, struct worker_report *report, struct err *err)
{
    struct worker_options o = {};

    if (parse_arguments(argv + 2, &o) < 0)
        return err_set(err, ERR_SYSTEM, "keg-layer: wrong arguments");
    o.shared = mmap(NULL, sizeof(*o.shared), PROT_READ | PROT_WRITE, MAP_SHARED, WORKER_FD_SHARED, 0);
    if (o.shared == MAP_FAILED)
        return err_errno(err, errno, "keg-layer: cannot map the shared page");
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (str_eq(argv[1], verbs[i].name))
            return verbs[i].run(&o, report, err);
    return err_set(err, ERR_SYSTEM, "keg-layer: no such verb");
}

int main(int argc, char **argv)
{
    struct worker_report report = {.magic = WORKER_REPORT_MAGIC};

    if (argc < 3) {
        fputs("keg-layer is started by kegd, to unpack and pack layers.\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* a reader that has gone is an error with a sentence */
    report.failed = run(argv, &report, &report.err) < 0;
    if (fd_write_full(WORKER_FD_REPORT, &report, sizeof(report)) < 0)
        _exit(2);
    _exit(report.failed); /* threads may still be at work: nothing of theirs is torn down */
}
