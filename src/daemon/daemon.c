/* kegd's life.
 *
 * Order matters at both ends: the engine is open, with everything found again, before a socket exists; and no
 * request is under way any more when the engine closes. What containers need is with their monitors all the
 * time. */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/listen.h"
#include "api/server.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/images_collect.h"
#include "engine/logs.h"
#include "engine/reload.h"
#include "engine/runtimes.h"

/* ---- the process ---- */

/* Mounts made here stay here, so that nothing else on the host keeps a layer busy; the host's new mounts
 * still show. *ret_host is the host's namespace, open for the life of the process: binds that are to propagate to
 * the host are opened there. */
static int daemon_enter_namespace(int *ret_host, struct err *err)
{
    *ret_host = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (unshare(CLONE_NEWNS) < 0)
        return err_errno(err, errno, "cannot make a mount namespace: kegd must run as root");
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return err_errno(err, errno, "cannot separate the mount namespace");
    return 0;
}

static void daemon_prepare_process(void)
{
    struct rlimit files;

    mallopt(M_ARENA_MAX, 2); /* an arena per thread would cost more than all else */
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
    umask(022);
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void daemon_prepare_log(const struct config *c)
{
    enum log_level level = LOG_LEVEL_INFO;

    log_level_from_name(c->log_level, &level);
    log_set_level(c->debug ? LOG_LEVEL_DEBUG : level);
    log_set_json(str_eq(c->log_format, "json"));
}

/* Tells the service manager (sd_notify's protocol), if there is one. */
static void daemon_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_close_ int fd = -EBADF;
    size_t len = path ? strlen(path) : 0;

    if (len == 0 || len >= sizeof(address.sun_path))
        return;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

/* Whether it is alive and a kegd: a number in a file may have been given to another process meanwhile. */
static bool daemon_is_kegd(uint32_t pid)
{
    char link[64], target[PATH_MAX];
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/%u/exe", pid);
    n = readlink(link, target, sizeof(target) - 1);
    if (n < 0)
        return false;
    target[n] = '\0';
    return str_ends(target, "/kegd");
}

static int daemon_write_pidfile(const char *path, struct err *err)
{
    _cleanup_(buf_finish) struct buf old = BUF_INIT(64);
    _cleanup_free_ char *text = NULL;
    uint32_t pid;
    int r;

    if (!path)
        return 0;
    if (file_read(AT_FDCWD, path, &old) == 0 && old.len) {
        old.data[strcspn(old.data, "\n")] = '\0';
        if (str_to_u32(old.data, &pid) == 0 && pid != (uint32_t)getpid() && daemon_is_kegd(pid))
            return err_set(err, ERR_CONFLICT, "process with PID %u is still running: it is the kegd of %s",
                           pid, path);
    }
    text = xasprintf("%d\n", getpid());
    r = file_replace(AT_FDCWD, path, text, strlen(text), 0644, /* sync= */ false);
    return r < 0 ? err_errno(err, r, "cannot write %s", path) : 0;
}

/* ---- engine and API ---- */

static bool daemon_has_tls(const struct config *c)
{
    return c->tls == SWITCH_ON || c->tls_verify == SWITCH_ON;
}

/* The addresses that everybody may use who reaches them, in Docker's words. */
static char **daemon_open_hosts(const struct config *c)
{
    char **open = NULL;

    for (char **host = c->hosts; host && *host && c->tls_verify != SWITCH_ON; host++)
        if (str_starts(*host, "tcp://"))
            strv_push_take(&open, daemon_has_tls(c)
                                      ? xasprintf("https://%s without TLS client verification", *host + 6)
                                      : xasprintf("http://%s without encryption", *host + 6));
    return open;
}

static struct engine *daemon_open_engine(const struct config *c, int host_mounts, struct err *err)
{
    _cleanup_free_ char *host_mounts_path = xasprintf("/proc/%d/fd/%d", (int)getpid(), host_mounts);
    _cleanup_strv_ char **open_hosts = daemon_open_hosts(c);
    const struct engine_options o = {
        .data_root = c->data_root,
        .exec_root = c->exec_root,
        .storage_driver = c->storage_driver,
        .storage_options = (const char *const *)c->storage_options,
        .bip = c->bip,
        .bip6 = c->bip6,
        .fixed_cidr6 = c->fixed_cidr6,
        .ipv6 = c->ipv6,
        .default_address_pools = (const char *const *)c->default_address_pools,
        .insecure_registries = (const char *const *)c->insecure_registries,
        .registry_mirrors = (const char *const *)c->registry_mirrors,
        .dns = (const char *const *)c->dns,
        .dns_search = (const char *const *)c->dns_search,
        .dns_options = (const char *const *)c->dns_options,
        .cdi_dirs = (const char *const *)c->cdi_spec_dirs,
        .labels = (const char *const *)c->labels,
        .open_hosts = (const char *const *)open_hosts,
        .log_driver = c->log_driver,
        .log_options = c->log_options,
        .image_gc = c->image_gc,
        .default_ulimits = c->default_ulimits,
        .runtimes = c->runtimes,
        .default_runtime = c->default_runtime,
        .cgroup_parent = c->cgroup_parent,
        .seccomp_profile = c->seccomp_profile,
        .ipc_mode = c->default_ipc_mode,
        .cgroupns_mode = c->default_cgroupns_mode,
        .shm_size = c->default_shm_size,
        .host_mounts = host_mounts >= 0 ? host_mounts_path : NULL,
        .mtu = (int)c->mtu,
        .max_concurrent_downloads = (int)c->max_concurrent_downloads,
        .max_concurrent_uploads = (int)c->max_concurrent_uploads,
        .no_icc = !c->icc,
        .no_ip_forward = !c->ip_forward,
        .no_nat = !c->iptables || !c->ip_masq,
        .no_nat6 = !c->ip6tables || !c->ip_masq,
        .no_new_privileges = c->no_new_privileges,
        .init = c->init,
        .no_networks = str_eq(c->bridge, "none"),
    };

    return engine_open(&o, err);
}

/* The socket's group must reach it through the exec root, whose folders are closed to it. */
static int daemon_open_way(const struct config *c, const char *host, struct err *err)
{
    const char *path = listen_unix_path(host);
    struct stat st;

    if (!path || !str_starts(path, c->exec_root) || stat(path, &st) < 0 || st.st_gid == 0)
        return 0;
    if (chown(c->exec_root, 0, st.st_gid) < 0 || chmod(c->exec_root, 0710) < 0)
        return err_errno(err, errno, "cannot open %s to the socket's group", c->exec_root);
    return 0;
}

/* A file that was named, or the one that a client of ours would take. The caller frees. */
static char *daemon_certificate(const char *named, const char *name)
{
    const char *directory = getenv("DOCKER_CERT_PATH"), *home = getenv("HOME");

    if (named)
        return xstrdup(named);
    return str_empty(directory) ? xasprintf("%s/.docker/%s", home ? home : "/root", name)
                                : path_join(directory, name);
}

/* The files of TLS; `paths` owns their names. */
static struct front_tls daemon_tls(const struct config *c, char *paths[3])
{
    paths[0] = daemon_certificate(c->tls_ca, "ca.pem");
    paths[1] = daemon_certificate(c->tls_cert, "cert.pem");
    paths[2] = daemon_certificate(c->tls_key, "key.pem");
    return (struct front_tls){
        .ca = paths[0], .cert = paths[1], .key = paths[2], .verify = c->tls_verify == SWITCH_ON};
}

static void daemon_tls_finish(char *paths[3])
{
    for (int i = 0; i < 3; i++)
        free(paths[i]);
}

static int daemon_check_tls(const struct config *c, struct err *err)
{
    char *paths[3];
    const struct front_tls tls = daemon_tls(c, paths);
    int r = front_check(&tls, err);

    daemon_tls_finish(paths);
    return r < 0 ? err_wrap(err, "invalid TLS configuration (--tlscacert, --tlscert, --tlskey)") : 0;
}

static int daemon_serve_tls(const struct config *c, int fd, struct server *server, struct err *err)
{
    char *paths[3];
    const struct front_tls tls = daemon_tls(c, paths);
    int r;

    if (!tls.verify)
        log_warn(
            "Binding to IP address without --tlsverify is insecure and gives root access on this machine to "
            "everyone who has access to your network.");
    r = server_listen_tls(server, fd, &tls, err);
    daemon_tls_finish(paths);
    return r;
}

/* Plain TCP: whoever reaches it is root here. That has to be meant, unless only this host reaches it. */
static int daemon_check_plain(const struct config *c, const char *host, struct err *err)
{
    bool local = str_starts(host, "tcp://127.") || str_starts(host, "tcp://localhost") ||
                 str_starts(host, "tcp://[::1]");

    if (!local && c->tls != SWITCH_OFF && c->tls_verify != SWITCH_OFF)
        return err_set(
            err, ERR_INVALID,
            "%s without --tlsverify gives root on this machine to everyone who reaches it: use --tlsverify "
            "with --tlscacert, --tlscert and --tlskey, or ssh:// on the clients' side; --tls=false if it is "
            "meant",
            host);
    return 0;
}

int daemon_check(const struct config *c, struct err *err)
{
    gid_t gid;

    if (images_collect_check(c->image_gc, err) < 0 ||
        engine_check_storage_driver(c->storage_driver, err) < 0 ||
        engine_check_storage_options((const char *const *)c->storage_options, err) < 0 ||
        runtimes_check(c->runtimes, c->default_runtime, err) < 0 ||
        log_defaults_check(c->log_driver, c->log_options, err) < 0 || listen_group(c->group, &gid, err) < 0)
        return -1;
    for (char **host = c->hosts; host && *host; host++)
        if (str_starts(*host, "tcp://") && !daemon_has_tls(c) && daemon_check_plain(c, *host, err) < 0)
            return -1;
    return daemon_has_tls(c) ? daemon_check_tls(c, err) : 0;
}

static int daemon_serve_host(const struct config *c, const char *host, struct server *server, struct err *err)
{
    const bool tcp = str_starts(host, "tcp://"), tls = daemon_has_tls(c);
    const struct listen_options options = {.group = c->group, .tls = tls};
    int fds[LISTEN_MAX], n, r = 0;

    if (tcp && !tls)
        log_warn("API on %s is open to everybody who reaches it: whoever does is root on this host", host);
    n = listen_open(host, &options, fds, LISTEN_MAX, err);
    if (n < 0)
        return err_wrap(err, "failed to load listeners");
    for (int i = 0; i < n; i++) {
        if (r < 0)
            close(fds[i]);
        else if (tls && listen_is_tcp(fds[i]))
            r = daemon_serve_tls(c, fds[i], server, err);
        else {
            if (!tcp && listen_is_tcp(fds[i]))
                log_warn("%s has a socket of TCP, served without --tlsverify: whoever reaches it is root on "
                         "this host",
                         host);
            r = server_listen(server, fds[i], err);
        }
    }
    if (r < 0 || daemon_open_way(c, host, err) < 0)
        return -1;
    log_info("API listen on %s", host);
    return 0;
}

static char **daemon_hosts(const struct config *c)
{
    char **hosts = NULL;

    for (char **host = c->hosts; host && *host; host++)
        strv_push(&hosts, *host);
    if (!hosts)
        strv_push_take(&hosts, xasprintf("unix://%s/keg.sock", c->exec_root));
    return hosts;
}

/* ---- signals ---- */

/* For who connects from now on. */
static void daemon_reload_tls(const struct config *c, struct server *server)
{
    struct err err = {0};
    char *paths[3];
    const struct front_tls tls = daemon_tls(c, paths);

    if (daemon_has_tls(c) && server_reload_tls(server, &tls, &err) < 0)
        log_error("certificates not reloaded, the earlier ones stay: %s", err.message);
    daemon_tls_finish(paths);
}

/* What changes: certificates, log level, labels, registries, runtimes, how much is moved at once, the time for ending. */
static void daemon_reload(struct engine *engine, struct server *server, int64_t *shutdown_timeout, int argc,
                          char *const *argv)
{
    _cleanup_config_ struct config c;
    _cleanup_json_ json_t *attributes = json_object();
    _cleanup_free_ char *seconds = NULL;
    struct err err = {0};

    config_init(&c);
    if (config_load(&c, argc, argv, &err) < 0 || daemon_check(&c, &err) < 0) {
        log_error("configuration not reloaded: %s", err.message);
        return;
    }
    daemon_prepare_log(&c);
    daemon_reload_tls(&c, server);
    *shutdown_timeout = c.shutdown_timeout;
    seconds = xasprintf("%" PRId64, c.shutdown_timeout);
    json_set_str(attributes, "shutdown-timeout", seconds);
    json_set_str(attributes, "debug", log_get_level() == LOG_LEVEL_DEBUG ? "true" : "false");
    engine_reload(engine,
                  &(struct engine_options){
                      .labels = (const char *const *)c.labels,
                      .insecure_registries = (const char *const *)c.insecure_registries,
                      .registry_mirrors = (const char *const *)c.registry_mirrors,
                      .runtimes = c.runtimes,
                      .default_runtime = c.default_runtime,
                      .max_concurrent_downloads = (int)c.max_concurrent_downloads,
                      .max_concurrent_uploads = (int)c.max_concurrent_uploads,
                  },
                  attributes);
    log_info("configuration reloaded: log level %s", log_level_name(log_get_level()));
}

/* Nothing that is under way may keep kegd from ending: what is half-done is found and finished at the next start, as
 * after a kill. */
static void daemon_give_up(int number _unused_)
{
    static const char line[] = "kegd: not everything ended in time: leaving\n";

    (void)!write(STDERR_FILENO, line, sizeof(line) - 1);
    _exit(0);
}

/* A signal may come twice for one wish (to the process and to its group); the third is impatience. */
static void daemon_hear_again(int number _unused_)
{
    static const char line[] = "kegd: asked three times: leaving at once\n";
    static volatile sig_atomic_t repeated;

    if (++repeated < 2)
        return;
    (void)!write(STDERR_FILENO, line, sizeof(line) - 1);
    _exit(0);
}

/* From here on the third signal, or the time that --shutdown-timeout gives, ends it at once. */
static void daemon_limit_shutdown(int64_t timeout, const sigset_t *signals)
{
    signal(SIGALRM, daemon_give_up);
    signal(SIGTERM, daemon_hear_again);
    signal(SIGINT, daemon_hear_again);
    signal(SIGHUP, SIG_IGN);
    if (timeout > 0)
        alarm((unsigned)MIN_OF(timeout, (int64_t)3600));
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
}

static void daemon_wait(struct engine *engine, struct server *server, int64_t *shutdown_timeout,
                        const sigset_t *signals, int argc, char *const *argv)
{
    int number;

    while (sigwait(signals, &number) == 0 && number == SIGHUP)
        daemon_reload(engine, server, shutdown_timeout, argc, argv);
    log_info("processing signal '%s': containers go on running", strsignal(number));
}

/* ---- */

static int daemon_serve(const struct config *c, struct engine *engine, const sigset_t *signals, int argc,
                        char *const *argv, struct err *err)
{
    _cleanup_strv_ char **hosts = daemon_hosts(c);
    struct server *server = server_new(&(struct server_options){.engine = engine});
    int64_t shutdown_timeout = c->shutdown_timeout;
    int r = 0;

    for (char **host = hosts; *host && r == 0; host++)
        r = daemon_serve_host(c, *host, server, err);
    if (r == 0) {
        daemon_notify("READY=1");
        daemon_wait(engine, server, &shutdown_timeout, signals, argc, argv);
        daemon_notify("STOPPING=1");
        daemon_limit_shutdown(shutdown_timeout, signals);
    }
    for (char **host = hosts; *host && r == 0; host++)
        listen_remove(*host);
    engine_interrupt(engine);
    server_free(server);
    return r;
}

int daemon_run(const struct config *c, int argc, char *const *argv, struct err *err)
{
    struct engine *engine;
    _cleanup_close_ int host_mounts = -EBADF;
    sigset_t signals;
    int r;

    fd_open_standard();
    daemon_prepare_log(c);
    daemon_prepare_process();
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before the first thread */
    if (daemon_enter_namespace(&host_mounts, err) < 0 || daemon_write_pidfile(c->pidfile, err) < 0)
        return -1;
    engine = daemon_open_engine(c, host_mounts, err);
    r = engine ? daemon_serve(c, engine, &signals, argc, argv, err) : -1;
    engine_close(engine);
    if (c->pidfile)
        unlink(c->pidfile);
    return r;
}
