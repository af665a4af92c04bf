/* The unified hierarchy's side, against a directory of plain files that poses as one; and the parsers. Needs
 * nothing. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "sys/cgroup_internal.h"

static char root[] = "/tmp/keg-test-cgroup-XXXXXX";
static struct err err;

static void put(const char *dir, const char *file, const char *text)
{
    _cleanup_free_ char *path = xasprintf("%s/%s/%s", root, dir, file);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void expect(const char *dir, const char *file, const char *text)
{
    _cleanup_free_ char *path = xasprintf("%s/%s/%s", root, dir, file);
    _cleanup_(buf_finish) struct buf b = BUF_INIT(4096);
    assert_int_equal(file_read(AT_FDCWD, path, &b), 0);
    assert_string_equal(buf_str(&b), text);
}

static const char *const controller_files[] = {
    "memory.max",  "memory.swap.max", "memory.low",    "memory.current", "memory.events", "memory.stat",
    "memory.peak", "cpu.weight",      "cpu.max.burst", "cpu.idle",       "cpu.stat",      "cpuset.cpus",
    "cpuset.mems", "pids.max",        "io.weight",     "io.max",         "io.stat",       "hugetlb.2MB.max",
    "rdma.max",    "cgroup.kill",     "cgroup.freeze", "cgroup.events",  "memory.high",
};

/* keg/c as the kernel would have made it, with every controller. */
static int set_up(void **state _unused_)
{
    assert_non_null(mkdtemp(root));
    _cleanup_free_ char *keg = path_join(root, "keg"), *c = path_join(root, "keg/c");
    mkdir(keg, 0755);
    mkdir(c, 0755);
    put("", "cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma\n");
    put("", "cgroup.subtree_control", "");
    put("keg", "cgroup.controllers", "memory\n");
    put("keg", "cgroup.subtree_control", "memory\n");
    put("keg/c", "cgroup.controllers", "memory\n");
    put("keg/c", "cgroup.procs", "");
    put("keg/c", "cpu.max", "max 100000\n");
    for (size_t i = 0; i < ARRAY_SIZE(controller_files); i++)
        put("keg/c", controller_files[i], "");
    cgroup_layout_pretend_v2(root);
    return 0;
}

static int tear_down(void **state _unused_)
{
    cgroup_layout_pretend_v2(NULL);
    return path_remove_all(AT_FDCWD, root);
}

static void test_layout_and_enabling(void **state _unused_)
{
    assert_int_equal(cgroup_mode(), CGROUP_MODE_UNIFIED);
    assert_true(cgroup_has_controller("blkio"));
    assert_true(cgroup_has_controller("devices"));
    assert_false(cgroup_has_controller("net_cls"));
    _cleanup_(cgroup_free_p) struct cgroup *cg = cgroup_create("/keg/c", &err);
    assert_non_null(cg);
    assert_true(cgroup_unified_fd(cg) >= 0);
    /* Plain files keep what was written last over what was there: "+rdma" over "+hugetlb". */
    expect("", "cgroup.subtree_control", "+rdmatlb");
}

struct setting_case {
    const char *resources;
    const char *file, *text;
};

static const struct setting_case settings[] = {
    {"{'memory':{'limit':1048576}}", "memory.max", "1048576"},
    {"{'memory':{'limit':-1}}", "memory.max", "max"},
    {"{'memory':{'limit':-1}}", "memory.swap.max", "max"},
    {"{'memory':{'limit':1000,'swap':3000}}", "memory.swap.max", "2000"},
    {"{'memory':{'limit':1000,'swap':1000}}", "memory.swap.max", "0"},
    {"{'memory':{'swap':-1}}", "memory.swap.max", "max"},
    {"{'memory':{'reservation':4096}}", "memory.low", "4096"},
    {"{'cpu':{'shares':1024}}", "cpu.weight", "100"},
    {"{'cpu':{'shares':2}}", "cpu.weight", "1"},
    {"{'cpu':{'shares':262144}}", "cpu.weight", "10000"},
    {"{'cpu':{'quota':50000,'period':200000}}", "cpu.max", "50000 200000"},
    {"{'cpu':{'quota':50000}}", "cpu.max", "50000 100000"},
    {"{'cpu':{'quota':-1}}", "cpu.max", "max 100000"},
    {"{'cpu':{'period':200000}}", "cpu.max", "max 200000"},
    {"{'cpu':{'burst':1000}}", "cpu.max.burst", "1000"},
    {"{'cpu':{'burst':0}}", "cpu.max.burst", "0"},
    {"{'cpu':{'idle':1}}", "cpu.idle", "1"},
    {"{'cpu':{'cpus':'0-3','mems':'0'}}", "cpuset.cpus", "0-3"},
    {"{'pids':{'limit':7}}", "pids.max", "7"},
    {"{'pids':{'limit':-1}}", "pids.max", "max"},
    {"{'blockIO':{'weight':10}}", "io.weight", "default 1"},
    {"{'blockIO':{'weight':1000}}", "io.weight", "default 10000"},
    {"{'blockIO':{'weightDevice':[{'major':8,'minor':0,'weight':10}]}}", "io.weight", "8:0 1"},
    {"{'blockIO':{'throttleReadBpsDevice':[{'major':8,'minor':0,'rate':600}]}}", "io.max", "8:0 rbps=600"},
    {"{'blockIO':{'throttleWriteIOPSDevice':[{'major':8,'minor':0,'rate':0}]}}", "io.max", "8:0 wiops=max"},
    {"{'hugepageLimits':[{'pageSize':'2MB','limit':9}]}", "hugetlb.2MB.max", "9"},
    {"{'rdma':{'mlx5_1':{'hcaHandles':3,'hcaObjects':4}}}", "rdma.max", "mlx5_1 hca_handle=3 hca_object=4"},
    {"{'unified':{'memory.high':'12345'}}", "memory.high", "12345"},
    {"{'memory':{'useHierarchy':true,'disableOOMKiller':false,'limit':5}}", "memory.max", "5"},
};

/* JSON is easier to read here with single quotes. */
static json_t *parse(const char *text)
{
    _cleanup_free_ char *copy = xstrdup(text);
    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    json_t *json = json_loads(copy, 0, NULL);
    assert_non_null(json);
    return json;
}

static void test_settings(void **state _unused_)
{
    _cleanup_(cgroup_free_p) struct cgroup *cg = cgroup_open_path("/keg/c", &err);
    assert_non_null(cg);
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        const struct setting_case *c = &settings[i];
        _cleanup_json_ json_t *resources = parse(c->resources);
        put("keg/c", c->file, str_eq(c->file, "cpu.max") ? "max 100000" : "");
        if (cgroup_apply(cg, resources, &err) < 0)
            fail_msg("%s: %s", c->resources, err.message);
        expect("keg/c", c->file, c->text);
    }
}

static const char *const refused[] = {
    "{'memory':{'kernel':4096}}",
    "{'memory':{'swappiness':10}}",
    "{'memory':{'disableOOMKiller':true}}",
    "{'memory':{'useHierarchy':false}}",
    "{'memory':{'swap':4096}}",
    "{'memory':{'limit':4096,'swap':1}}",
    "{'cpu':{'realtimeRuntime':1000}}",
    "{'blockIO':{'leafWeight':20}}",
    "{'blockIO':{'weight':5}}",
    "{'network':{'classID':1}}",
    "{'unified':{'../evil':'1'}}",
    "{'unified':{'no.such':'1'}}",
    "{'hugepageLimits':[{'pageSize':'1GB','limit':9}]}",
    "{'hugepageLimits':[{'pageSize':'../x','limit':9}]}",
    "{'devices':[{'allow':true,'type':'x'}]}",
    "{'devices':[{'allow':true,'type':'a','major':1}]}",
    "{'devices':[{'type':'c'}]}",
};

static void test_refused(void **state _unused_)
{
    _cleanup_(cgroup_free_p) struct cgroup *cg = cgroup_open_path("/keg/c", &err);
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        _cleanup_json_ json_t *resources = parse(refused[i]);
        err = (struct err){};
        if (cgroup_apply(cg, resources, &err) == 0)
            fail_msg("%s was accepted", refused[i]);
        assert_true(str_starts(err.message, "resources."));
    }
}

static void test_check_before_update(void **state _unused_)
{
    _cleanup_(cgroup_free_p) struct cgroup *cg = cgroup_open_path("/keg/c", &err);
    put("keg/c", "memory.current", "5000\n");
    _cleanup_json_ json_t *low = parse("{'memory':{'limit':4096,'checkBeforeUpdate':true}}");
    _cleanup_json_ json_t *enough = parse("{'memory':{'limit':8192,'checkBeforeUpdate':true}}");
    assert_int_equal(cgroup_apply(cg, low, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_int_equal(cgroup_apply(cg, enough, &err), 0);
}

static void test_stats(void **state _unused_)
{
    _cleanup_(cgroup_free_p) struct cgroup *cg = cgroup_open_path("/keg/c", &err);
    put("keg/c", "cpu.stat",
        "usage_usec 3\nuser_usec 2\nsystem_usec 1\nnr_periods 9\nnr_throttled 4\nthrottled_usec 7\n");
    put("keg/c", "memory.current", "4096\n");
    put("keg/c", "memory.max", "max\n");
    put("keg/c", "memory.stat", "anon 1\nfile 2\ninactive_file 3\n");
    put("keg/c", "memory.events", "low 0\nhigh 0\nmax 5\noom 1\noom_kill 2\noom_group_kill 0\n");
    put("keg/c", "pids.max", "12\n");
    put("keg/c", "io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n");
    struct cgroup_stats s;
    assert_int_equal(cgroup_stats(cg, true, &s, &err), 0);
    assert_int_equal(s.cpu_total, 3000);
    assert_int_equal(s.cpu_throttled_time, 7000);
    assert_int_equal(s.memory_usage, 4096);
    assert_true(s.memory_limit == UINT64_MAX);
    assert_int_equal(s.memory_inactive_file, 3);
    assert_int_equal(s.memory_failcnt, 5);
    assert_int_equal(s.oom_kills, 2);
    assert_int_equal(s.pids_limit, 12);
    assert_int_equal(json_int_or(s.memory_stat, "file", 0), 2);
    assert_int_equal(json_array_size(s.io_bytes), 3);
    assert_int_equal(json_int_or(json_array_get(s.io_bytes, 1), "value", 0), 20);
    assert_int_equal(json_int_or(json_array_get(s.io_serviced, 0), "value", 0), 1);
    cgroup_stats_finish(&s);
}

static void test_pids_and_freezing(void **state _unused_)
{
    _cleanup_(cgroup_free_p) struct cgroup *cg = cgroup_open_path("/keg/c", &err);
    put("keg/c", "cgroup.procs", "11\n0\n12\n");
    put("keg/c", "cgroup.events", "populated 1\nfrozen 1\n");
    pid_t *pids = NULL;
    size_t count = 0;
    assert_int_equal(cgroup_pids(cg, true, &pids, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_int_equal(pids[1], 12);
    free(pids);
    assert_true(cgroup_is_frozen(cg));
    assert_int_equal(cgroup_freeze(cg, true, &err), 0);
    expect("keg/c", "cgroup.freeze", "1");
    put("keg/c", "cgroup.procs", "");
}

static void test_mountinfo(void **state _unused_)
{
    struct cgroup_layout l = {};
    /* The mount points needn't be cgroups for the parser, only directories. */
    static const char text[] = "31 23 0:28 / / rw - ext4 /dev/sda rw\n"
                               "32 31 0:29 / /proc rw,relatime shared:7 - cgroup cgroup rw,cpu,cpuacct\n"
                               "33 31 0:30 / /tmp rw - cgroup cgroup rw,xattr,name=systemd\n"
                               "34 31 0:30 / /dev rw - cgroup cgroup rw,cpu,cpuacct\n"
                               "35 31 0:31 / /sys rw - cgroup2 cgroup2 rw,nsdelegate\n";
    assert_int_equal(cgroup_layout_parse_mountinfo(text, &l), 0);
    assert_int_equal(l.mode, CGROUP_MODE_HYBRID);
    assert_int_equal(l.count, 3); /* the second mount of cpu,cpuacct adds nothing */
    assert_string_equal(l.infos[0].options, "cpu,cpuacct");
    assert_int_equal(l.trees[0].controllers, CTL_CPU | CTL_CPUACCT);
    assert_string_equal(l.infos[1].options, "name=systemd");
    assert_true(l.infos[2].v2);
    cgroup_layout_finish(&l);
    assert_int_equal(cgroup_layout_parse_mountinfo("", &l), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout_and_enabling),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_check_before_update),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_pids_and_freezing),
        cmocka_unit_test(test_mountinfo),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
