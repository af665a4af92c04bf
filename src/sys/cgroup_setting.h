/* What the files that write settings into cgroups share: cgroup_apply.c (the table, memory and cpu), cgroup_lists.c. */
#ifndef KEG_SYS_CGROUP_SETTING_H
#define KEG_SYS_CGROUP_SETTING_H

#include "sys/cgroup_internal.h"

struct setting;

/* One setting on its way into one directory. */
struct target {
    struct cgroup *cg;
    const json_t *resources;
    const struct setting *row;
    bool v2;
    int dir;
};

typedef int setting_fn(const struct target *t, const json_t *value, struct err *err);

enum setting_kind { SETTING_NUMBER, SETTING_TEXT, SETTING_SWITCH, SETTING_LIST, SETTING_OBJECT };

struct setting {
    const char *path; /* below linux.resources */
    unsigned controller;
    const char *v1, *v2; /* file; NULL: this version has nothing of the kind */
    setting_fn *apply;   /* NULL: the value as it is */
    bool zero_counts;    /* 0 is a value; otherwise it means "unset" */
    enum setting_kind kind;
};

/* The error that this version (file NULL) or this kernel hasn't got it. */
int setting_missing(const struct target *t, const char *file, struct err *err);
/* Writes one file; the error names the setting, the file and the value. */
int setting_write(const struct target *t, const char *file, const char *value, struct err *err);
/* The row's file of this version. */
const char *setting_file(const struct target *t);
bool setting_has_file(const struct target *t, const char *file);
/* A number as text: on v2 "max" for -1. */
void setting_format(const struct target *t, int64_t value, char out[32]);

/* cgroup_lists.c: an entry a device, page size, interface or file. */
setting_fn setting_io_weight, setting_io_leaf_weight, setting_io_weight_device, setting_io_throttle;
setting_fn setting_hugepages, setting_network_priorities, setting_rdma, setting_unified;

#endif
