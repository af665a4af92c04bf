/* What containers use: figures of their cgroups, of the network devices in their namespaces, and of the host.
 *
 * Readings belong to whole seconds of the monotonic clock. The first who wants one of the present second reads; it hangs on
 * the container, immutable, for all others, and for the next second as what to compare with. */
#include "engine/stats.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/container.h"
#include "engine/proc.h"
#include "sys/cgroup.h"

enum { FILE_MAX = 256 * 1024 };

/* Between a reading and the one it is compared with, ns. */
#define SHORTEST (CLOCK_NS_PER_S * 4 / 10)
#define LONGEST  (CLOCK_NS_PER_S * 5 / 2)

/* ---- the host ---- */

/* The first seven numbers of /proc/stat, in ns: what all processors together have had. */
static int64_t host_cpu_time(void)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(FILE_MAX * 4);
    unsigned long long v[7] = {0}, sum = 0;

    if (file_read(AT_FDCWD, "/proc/stat", &text) < 0)
        return 0;
    sscanf(buf_str(&text), "cpu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
           &v[6]);
    for (size_t i = 0; i < ARRAY_SIZE(v); i++)
        sum += v[i];
    return (int64_t)(sum * (unsigned long long)(CLOCK_NS_PER_S / sysconf(_SC_CLK_TCK)));
}

static int64_t host_memory(void)
{
    return (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}

/* ---- parts of a reading ---- */

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)MIN_OF(value, (uint64_t)INT64_MAX));
}

static void set_unless_zero(json_t *object, const char *key, uint64_t value)
{
    if (value > 0)
        json_object_set_new(object, key, number(value));
}

static json_t *throttling(const struct cgroup_stats *s)
{
    return json_pack("{s:o, s:o, s:o}", "periods", number(s->cpu_periods), "throttled_periods",
                     number(s->cpu_throttled_periods), "throttled_time", number(s->cpu_throttled_time));
}

/* s of zeros: of one that doesn't run, or nothing to compare with. */
static json_t *cpu_part(const struct cgroup_stats *s, bool runs)
{
    json_t *usage = json_object(), *part = json_object();

    json_object_set_new(usage, "total_usage", number(s->cpu_total));
    if (s->cpu_percpu)
        json_object_set(usage, "percpu_usage", s->cpu_percpu);
    json_object_set_new(usage, "usage_in_kernelmode", number(s->cpu_system));
    json_object_set_new(usage, "usage_in_usermode", number(s->cpu_user));
    json_object_set_new(part, "cpu_usage", usage);
    if (runs) {
        json_set_int(part, "system_cpu_usage", host_cpu_time());
        json_set_int(part, "online_cpus", sysconf(_SC_NPROCESSORS_ONLN));
    }
    json_object_set_new(part, "throttling_data", throttling(s));
    return part;
}

/* The members of memory.stat that Docker's API has, of v1 and of v2. */
static const char *const v1_members[] = {"active_anon",
                                         "active_file",
                                         "cache",
                                         "dirty",
                                         "hierarchical_memory_limit",
                                         "hierarchical_memsw_limit",
                                         "inactive_anon",
                                         "inactive_file",
                                         "mapped_file",
                                         "pgfault",
                                         "pgmajfault",
                                         "pgpgin",
                                         "pgpgout",
                                         "rss",
                                         "rss_huge",
                                         "total_active_anon",
                                         "total_active_file",
                                         "total_cache",
                                         "total_dirty",
                                         "total_inactive_anon",
                                         "total_inactive_file",
                                         "total_mapped_file",
                                         "total_pgfault",
                                         "total_pgmajfault",
                                         "total_pgpgin",
                                         "total_pgpgout",
                                         "total_rss",
                                         "total_rss_huge",
                                         "total_unevictable",
                                         "total_writeback",
                                         "unevictable",
                                         "writeback",
                                         NULL};
static const char *const v2_members[] = {"active_anon",
                                         "active_file",
                                         "anon",
                                         "anon_thp",
                                         "file",
                                         "file_dirty",
                                         "file_mapped",
                                         "file_writeback",
                                         "inactive_anon",
                                         "inactive_file",
                                         "kernel_stack",
                                         "pgactivate",
                                         "pgdeactivate",
                                         "pgfault",
                                         "pglazyfree",
                                         "pglazyfreed",
                                         "pgmajfault",
                                         "pgrefill",
                                         "pgscan",
                                         "pgsteal",
                                         "shmem",
                                         "slab",
                                         "slab_reclaimable",
                                         "slab_unreclaimable",
                                         "sock",
                                         "thp_collapse_alloc",
                                         "thp_fault_alloc",
                                         "unevictable",
                                         "workingset_activate",
                                         "workingset_nodereclaim",
                                         "workingset_refault",
                                         NULL};

static json_t *memory_part(const struct cgroup_stats *s)
{
    json_t *part = json_object(), *details = json_object();
    bool v1 = cgroup_mode() != CGROUP_MODE_UNIFIED;
    uint64_t all = (uint64_t)host_memory();

    for (const char *const *name = v1 ? v1_members : v2_members; *name; name++) {
        json_t *value = json_object_get(s->memory_stat, *name);

        if (value)
            json_object_set(details, *name, value);
    }
    set_unless_zero(part, "usage", s->memory_usage);
    if (v1)
        set_unless_zero(part, "max_usage", s->memory_max_usage);
    json_object_set_new(part, "stats", details);
    set_unless_zero(part, "failcnt", s->memory_failcnt);
    json_object_set_new(part, "limit", number(MIN_OF(s->memory_limit, all)));
    return part;
}

/* bytes and serviced: arrays, or NULL where nothing is known. The others are v1's, of a scheduler that is gone from kernels:
 * always empty. */
static json_t *block_part(json_t *bytes, json_t *serviced)
{
    static const char *const others[] = {"io_queue_recursive",     "io_service_time_recursive",
                                         "io_wait_time_recursive", "io_merged_recursive",
                                         "io_time_recursive",      "sectors_recursive"};
    bool v1 = bytes && cgroup_mode() != CGROUP_MODE_UNIFIED;
    json_t *part = json_object();

    json_object_set(part, "io_service_bytes_recursive", bytes ? bytes : json_null());
    json_object_set(part, "io_serviced_recursive", v1 && serviced ? serviced : json_null());
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        json_object_set_new(part, others[i], v1 ? json_array() : json_null());
    return part;
}

static json_t *pids_part(const struct cgroup_stats *s)
{
    json_t *part = json_object();

    set_unless_zero(part, "current", s->pids_current);
    if (s->pids_limit != UINT64_MAX)
        set_unless_zero(part, "limit", s->pids_limit);
    return part;
}

/* A line of net/dev: "  eth0: 1 2 3 4 5 6 7 8 9 …". */
static void add_device(json_t *networks, const char *line)
{
    static const char *const names[] = {"rx_bytes", "rx_packets", "rx_errors", "rx_dropped",
                                        NULL,       NULL,         NULL,        NULL,
                                        "tx_bytes", "tx_packets", "tx_errors", "tx_dropped"};
    const char *colon = strchr(line, ':'), *name = line + strspn(line, " ");
    json_t *device;
    char *at;

    if (!colon || (colon - name == 2 && memcmp(name, "lo", 2) == 0))
        return;
    device = json_object();
    at = (char *)colon + 1;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        unsigned long long value = strtoull(at, &at, 10);

        if (names[i])
            json_object_set_new(device, names[i], number(value));
    }
    json_object_setn_new(networks, name, (size_t)(colon - name), device);
}

/* The devices of its network namespace; NULL for none, or when they are the host's. */
static json_t *networks_part(const struct container_snapshot *c, int proc)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(FILE_MAX);
    json_t *networks;
    char *rest, *line;

    if (str_eq(json_str(c->host_config, "NetworkMode"), "host") || file_read(proc, "net/dev", &text) < 0)
        return NULL;
    networks = json_object();
    rest = text.data;
    for (int n = 0; (line = strsep(&rest, "\n")); n++)
        if (n >= 2) /* two lines of headings */
            add_device(networks, line);
    if (json_object_size(networks) > 0)
        return networks;
    json_decref(networks);
    return NULL;
}

/* ---- one reading ---- */

static json_t *new_document(const struct container *c, const char *name)
{
    json_t *doc = json_object();
    _cleanup_free_ char *slashed = xasprintf("/%s", name);

    json_set_str(doc, "name", slashed);
    json_set_str(doc, "id", c->id);
    json_set_str(doc, "read", CLOCK_ZERO_TEXT);
    json_set_str(doc, "preread", CLOCK_ZERO_TEXT);
    return doc;
}

static void add_rest(json_t *doc, json_t *cpu, const struct cgroup_stats *s, json_t *memory)
{
    static const struct cgroup_stats none;

    json_object_set_new(doc, "pids_stats", pids_part(s));
    json_object_set_new(doc, "blkio_stats", block_part(s->io_bytes, s->io_serviced));
    json_set_int(doc, "num_procs", 0);
    json_object_set_new(doc, "storage_stats", json_object());
    json_object_set_new(doc, "cpu_stats", cpu);
    json_object_set_new(doc, "precpu_stats", cpu_part(&none, /* runs= */ false));
    json_object_set_new(doc, "memory_stats", memory);
}

static json_t *read_nothing(const struct container *c, const char *name)
{
    static const struct cgroup_stats none;
    json_t *doc = new_document(c, name);

    add_rest(doc, cpu_part(&none, /* runs= */ false), &none, json_object());
    return doc;
}

static json_t *read_now(struct container *c)
{
    _cleanup_snapshot_ struct container_snapshot s;
    _cleanup_close_ int proc = -EBADF;
    _cleanup_free_ char *path = container_cgroup_path(c);
    _cleanup_(cgroup_free_p) struct cgroup *cg = NULL;
    struct cgroup_stats stats;
    char when[CLOCK_TEXT_SIZE];
    json_t *doc, *networks;

    container_snapshot(c, &s);
    if (container_status_runs(s.state.status) && s.state.status != CONTAINER_RESTARTING)
        proc = container_proc_open(c, s.state.pid);
    if (proc >= 0)
        cg = cgroup_open_path(path, NULL);
    if (!cg || cgroup_stats(cg, /* details= */ true, &stats, NULL) < 0)
        return read_nothing(c, s.name);
    doc = new_document(c, s.name);
    clock_format(clock_now(), when);
    json_set_str(doc, "read", when);
    add_rest(doc, cpu_part(&stats, /* runs= */ true), &stats, memory_part(&stats));
    networks = networks_part(&s, proc);
    if (networks)
        json_object_set_new(doc, "networks", networks);
    cgroup_stats_finish(&stats);
    return doc;
}

static bool is_reading(const json_t *doc, const char *key)
{
    return !str_eq(json_str(doc, key), CLOCK_ZERO_TEXT);
}

/* Takes over what is compared with: the last reading, or if that was only a moment ago, what it was compared with. */
static void compare_with(json_t *doc, const json_t *old, int64_t ago)
{
    bool too_soon = ago < SHORTEST;
    json_t *when = json_object_get(old, too_soon ? "preread" : "read");

    if (!is_reading(doc, "read") || ago > LONGEST || str_eq(json_string_value(when), CLOCK_ZERO_TEXT))
        return;
    json_object_set(doc, "preread", when);
    json_object_set(doc, "precpu_stats", json_object_get(old, too_soon ? "precpu_stats" : "cpu_stats"));
}

/* The reading of the present second: a new reference to what nobody changes any more. */
static json_t *reading(struct container *c)
{
    int64_t now;
    json_t *ret;

    pthread_mutex_lock(&c->reading_lock);
    now = clock_monotonic();
    if (!c->reading || c->reading_at / CLOCK_NS_PER_S != now / CLOCK_NS_PER_S) {
        json_t *doc = read_now(c);

        if (c->reading)
            compare_with(doc, c->reading, now - c->reading_at);
        json_decref(c->reading);
        c->reading = doc;
        c->reading_at = now;
    }
    ret = json_incref(c->reading);
    pthread_mutex_unlock(&c->reading_lock);
    return ret;
}

/* A reading of this moment, nothing beside it; it is there to compare with later, where nothing else is. */
static json_t *reading_alone(struct container *c)
{
    int64_t now;
    json_t *doc;

    pthread_mutex_lock(&c->reading_lock);
    now = clock_monotonic();
    doc = read_now(c);
    if (!c->reading || now - c->reading_at > LONGEST) {
        json_decref(c->reading);
        c->reading = json_incref(doc);
        c->reading_at = now;
    }
    pthread_mutex_unlock(&c->reading_lock);
    return doc;
}

/* Until a second begins, and some time has passed. */
static int await_tick(struct engine *e, int client_fd, struct err *err)
{
    int64_t left = CLOCK_NS_PER_S - clock_monotonic() % CLOCK_NS_PER_S;

    left += left < SHORTEST ? CLOCK_NS_PER_S : 0;
    return engine_wait_readable(e, -1, client_fd, (int)(left / 1000000) + 1, err) < 0 ? -1 : 0;
}

/* ---- what is asked for ---- */

int engine_container_stats(struct engine *e, const char *ref, const struct engine_stats_options *o,
                           int client_fd, json_t **ret, struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    _cleanup_json_ json_t *doc = NULL;

    if (!c)
        return -1;
    if (o->one_shot) {
        *ret = reading_alone(c);
        return 0;
    }
    doc = reading(c);
    if (is_reading(doc, "read") && !is_reading(doc, "preread")) {
        if (await_tick(e, client_fd, err) < 0)
            return -1;
        json_decref(doc);
        doc = reading(c);
    }
    *ret = take_ptr(&doc);
    return 0;
}

static int send_reading(struct container *c, const struct engine_sink *sink)
{
    _cleanup_json_ json_t *doc = reading(c);
    _cleanup_(buf_finish) struct buf line = BUF_INIT(FILE_MAX);

    if (json_append(&line, doc) < 0)
        return -1;
    buf_putc(&line, '\n');
    return sink->write(sink->arg, line.data, line.len);
}

int engine_container_stats_stream(struct engine *e, const char *ref, const struct engine_sink *sink,
                                  struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);

    if (!c)
        return -1;
    for (;;) {
        bool gone;

        if (send_reading(c, sink) < 0)
            return err_set(err, ERR_CANCELLED, "the client has gone");
        if (await_tick(e, sink->client_fd, err) < 0)
            return -1;
        pthread_mutex_lock(&c->lock);
        gone = c->gone;
        pthread_mutex_unlock(&c->lock);
        if (gone)
            return 0;
    }
}
