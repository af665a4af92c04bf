/* Cgroups that systemd makes: the transient unit of a container. What files of sys share; others see it by cgroup.h. */
#ifndef KEG_SYS_CGROUP_SYSTEMD_H
#define KEG_SYS_CGROUP_SYSTEMD_H

#include <jansson.h>

#include "base/buf.h"
#include "sys/cgroup.h"

/* Takes the unit away with all that is in it. One that is gone is fine. */
int cgroup_stop_unit(struct cgroup *cg, struct err *err);
/* Tells systemd of new limits, which it would else set back. */
int cgroup_set_unit(struct cgroup *cg, const json_t *resources, struct err *err);

/* Properties, as elements of an open array of (sv) (systemd_properties.c): for limits, device rules, and annotations
 * org.systemd.property.NAME with a value in GVariant's text form. What systemd has no property for is passed over: it is
 * written to the cgroup directly. */
int systemd_put_limits(struct buf *b, const json_t *resources, bool v2, struct err *err);
int systemd_put_devices(struct buf *b, const json_t *devices, struct err *err);
int systemd_put_annotations(struct buf *b, const json_t *annotations, struct err *err);

#endif
