#include "engine/apparmor.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/oci.h"

#define DEFAULT_PROFILE "keg-default"
#define SECURITYFS      "/sys/kernel/security/apparmor"
#define LOADED          SECURITYFS "/profiles"

enum { LIST_MAX = 4 * 1024 * 1024, WORDS_MAX = 16 * 1024 };

/* What root in a container has no business with, should the other walls fall: mounting (no rule for it, so none), the
 * kernel's settings but for those of its own namespaces (net, fs.mqueue, kernel.shm*, msg*, sem), the devices' and the
 * firmware's; signals and traces beyond the containers. (Distributions give runc and crun, by which containers of other runtimes
 * are signalled, profiles of their own.) A later rule can't allow what "deny" has taken. */
static const char profile_text[] =
    "profile " DEFAULT_PROFILE " flags=(attach_disconnected,mediate_deleted) {\n"
    "  network,\n"
    "  capability,\n"
    "  file,\n"
    "  umount,\n"
    "  signal (receive) peer=unconfined,\n"
    "  signal (receive) peer={runc,crun},\n"
    "  signal (send, receive) peer=" DEFAULT_PROFILE ",\n"
    "  ptrace (trace, read, tracedby, readby) peer=" DEFAULT_PROFILE ",\n"
    "  ptrace (tracedby, readby) peer=unconfined,\n"
    "  deny /proc/{sysrq-trigger,kcore,kmem,mem} rwklx,\n"
    "  deny /proc/* wkl,\n"
    "  deny /proc/{acpi,asound,bus,driver,fs,irq,scsi,tty}/** wklx,\n"
    "  deny /proc/sys/{abi,debug,dev,sunrpc,user,vm}/** wklx,\n"
    "  deny /proc/sys/fs/{[^m],m[^q]}** wklx,\n"
    "  deny /proc/sys/kernel/{[^ms],m[^s],s[^eh]}** wklx,\n"
    "  deny /sys/{[^f],f[^s]}*/** wklx,\n"
    "  deny /sys/fs/{[^c],c[^g]}*/** wklx,\n"
    "  deny /sys/firmware/** rwklx,\n"
    "  deny /sys/kernel/security/** rwklx,\n"
    "  deny /sys/devices/virtual/powercap/** rwklx,\n"
    "}\n";

static const char *const parsers[] = {"/usr/sbin/apparmor_parser", "/sbin/apparmor_parser",
                                      "/usr/bin/apparmor_parser", NULL};

static const char *find_parser(void)
{
    for (const char *const *p = parsers; *p; p++)
        if (access(*p, X_OK) == 0)
            return *p;
    return NULL;
}

bool apparmor_available(void)
{
    _cleanup_(buf_finish) struct buf enabled = BUF_INIT(16);
    return file_read(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", &enabled) == 0 &&
           *buf_str(&enabled) == 'Y' && access(LOADED, R_OK) == 0 && find_parser() != NULL;
}

const char *apparmor_profile(const json_t *host_config)
{
    struct oci_security security;
    if (oci_security_parse(host_config, &security, NULL) < 0)
        return NULL;
    if (security.apparmor)
        return security.apparmor;
    if (!apparmor_available())
        return NULL;
    return json_bool_or(host_config, "Privileged", false) ? "unconfined" : DEFAULT_PROFILE;
}

/* The list has a line for each: name, mode in brackets. */
static bool is_loaded(void)
{
    static const char line[] = DEFAULT_PROFILE " (";
    _cleanup_(buf_finish) struct buf list = BUF_INIT(LIST_MAX);
    if (file_read(AT_FDCWD, LOADED, &list) < 0)
        return false;
    for (const char *at = buf_str(&list); (at = strstr(at, line)); at++)
        if (at == buf_str(&list) || at[-1] == '\n')
            return true;
    return false;
}

/* Runs the parser with the profile as standard input; what it says goes to `words`. Its status, or -errno. */
static int run_parser(const char *parser, struct buf *words)
{
    _cleanup_close_ int text = memfd_create("apparmor-profile", MFD_CLOEXEC);
    _cleanup_close_ int said = memfd_create("apparmor-words", MFD_CLOEXEC);
    char *const argv[] = {"apparmor_parser", "-Kr", NULL}, *const envp[] = {
                                                               "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    posix_spawn_file_actions_t actions;
    int status, r = text < 0 || said < 0 ? -errno : fd_write_full(text, profile_text, strlen(profile_text));
    pid_t pid;
    if (r < 0 || lseek(text, 0, SEEK_SET) < 0)
        return r < 0 ? r : -errno;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, text, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, said, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, said, STDERR_FILENO);
    r = posix_spawn(&pid, parser, &actions, NULL, argv, envp);
    posix_spawn_file_actions_destroy(&actions);
    if (r != 0)
        return -r;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    if (lseek(said, 0, SEEK_SET) == 0)
        fd_read_all(said, words);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int apparmor_load(const char *profile, struct err *err)
{
    _cleanup_(buf_finish) struct buf words = BUF_INIT(WORDS_MAX);
    const char *parser = find_parser();
    if (!str_eq(profile, DEFAULT_PROFILE) || is_loaded() || !parser)
        return 0;
    int r = run_parser(parser, &words);
    if (r < 0)
        return err_errno(err, r, "run %s", parser);
    if (r == 0)
        return 0;
    return err_set(err, ERR_SYSTEM,
                   "AppArmor is enabled, but the profile " DEFAULT_PROFILE
                   " could not be loaded: %s: status %d: %.512s",
                   parser, r, buf_str(&words));
}
