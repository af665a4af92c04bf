/* Images that go: untag, delete, prune. Tagging is here too.
 *
 * A name is removed first; the image follows when it was the last one, and what it was made from follows it when nothing else
 * has that. Docker's rules about who may be in the way: children and a running container forbid removal, a stopped one and
 * further names forbid it unless forced. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/images_internal.h"
#include "image/reference.h"

enum { SHORT_ID = 12 };

/* ---- tag ---- */

int engine_image_tag(struct engine *e, const char *ref, const char *repo, const char *tag, struct err *err)
{
    _cleanup_images_match_ struct images_match m = {0};
    _cleanup_reference_ struct reference target = {0};
    _cleanup_free_ char *name = NULL, *familiar = NULL;
    json_t *change, *row;
    int r;

    if (reference_parse_parts(repo, tag, &target, err) < 0)
        return -1;
    if (target.digest)
        return err_set(err, ERR_INVALID, "refusing to create a tag with a digest reference");
    if (!target.tag)
        target.tag = xstrdup(REFERENCE_DEFAULT_TAG);
    if (reference_check_tag(&target, err) < 0)
        return -1;
    name = reference_string(&target);
    familiar = reference_familiar(&target);
    engine_images_lock(e);
    r = images_match(e, ref, &m, err);
    if (r == 0) {
        change = images_change_new();
        row = json_copy((json_t *)m.row);
        json_set_int(row, "LastTagTime", clock_now());
        images_change_row(change, m.id, row);
        images_change_name(change, name, m.id);
        r = images_apply(e, change, err);
    }
    engine_images_unlock(e);
    if (r == 0)
        images_event(e, "tag", m.id, familiar);
    return r;
}

/* ---- who is in the way ---- */

struct remove_use {
    const char *id;   /* of the image */
    char running[65]; /* a running container of it; "": none */
    char stopped[65];
};

/* As its own image, or mounted into it. */
static bool container_has_image(const struct container_brief *c, const char *id)
{
    const json_t *m;
    size_t i;

    if (str_eq(c->image_id, id))
        return true;
    json_array_foreach (c->mounts, i, m)
        if (str_eq(json_str(m, "Type"), "image") && str_eq(json_str(m, "Source"), id))
            return true;
    return false;
}

static int remove_find_use(void *arg, const struct container_brief *c)
{
    struct remove_use *use = arg;

    if (container_has_image(c, use->id))
        snprintf(c->running ? use->running : use->stopped, sizeof(use->running), "%s", c->id);
    return use->running[0] != '\0'; /* nothing weighs more */
}

static struct remove_use remove_uses(struct engine *e, const char *id)
{
    struct remove_use use = {.id = id};

    engine_containers_each(e, remove_find_use, &use);
    return use;
}

static bool remove_is_used(const struct remove_use *use)
{
    return use->running[0] || use->stopped[0];
}

bool images_in_use(struct engine *e, const char *id)
{
    const struct remove_use use = remove_uses(e, id);

    return remove_is_used(&use);
}

static int remove_conflict(const char *id, const char *can, const char *why, struct err *err)
{
    return err_set(err, ERR_CONFLICT, "conflict: unable to delete %.*s (%s) - %s", SHORT_ID, digest_hex(id),
                   can, why);
}

bool images_has_children(struct engine *e, const char *id, const json_t *change)
{
    const json_t *gone = json_object_get(change, "rows");
    const char *child;
    json_t *row;

    json_object_foreach (e->images->rows, child, row)
        if (str_eq(json_str(row, "Parent"), id) && !json_bool_or(row, "Orphan", false) &&
            !json_object_get(gone, child))
            return true;
    return false;
}

enum remove_checks { REMOVE_CHECK_STOPPED = 1, REMOVE_CHECK_NAMES = 2 };

static int remove_check(struct engine *e, const char *id, const struct remove_use *use, unsigned checks,
                        struct err *err)
{
    _cleanup_strv_ char **names = NULL;
    char why[128];

    if (images_has_children(e, id, NULL))
        return remove_conflict(id, "cannot be forced", "image has dependent child images", err);
    if (use->running[0]) {
        snprintf(why, sizeof(why), "image is being used by running container %.*s", SHORT_ID, use->running);
        return remove_conflict(id, "cannot be forced", why, err);
    }
    if ((checks & REMOVE_CHECK_NAMES) && (names = images_names(e, id)))
        return remove_conflict(id, "must be forced", "image is referenced in multiple repositories", err);
    if ((checks & REMOVE_CHECK_STOPPED) && use->stopped[0]) {
        snprintf(why, sizeof(why), "image is being used by stopped container %.*s", SHORT_ID, use->stopped);
        return remove_conflict(id, "must be forced", why, err);
    }
    return 0;
}

/* All names are of one repository, and at most one of them is a tag. */
static bool remove_is_single(char *const *names)
{
    _cleanup_free_ char *repository = NULL;
    size_t tags = 0;

    for (char *const *name = names; name && *name; name++) {
        _cleanup_reference_ struct reference ref = {0};
        _cleanup_free_ char *this = NULL;

        if (reference_parse(*name, &ref, NULL) < 0)
            return false;
        this = reference_name(&ref);
        if (repository && !str_eq(repository, this))
            return false;
        free(repository);
        repository = take_ptr(&this);
        tags += ref.tag != NULL;
    }
    return names && tags <= 1;
}

/* ---- removal: a change of the table that grows, applied at once ---- */

struct removal {
    struct engine *e;
    char id[DIGEST_SIZE];
    json_t *change;
    json_t *report;  /* [{"Untagged"},{"Deleted"}] */
    char **untagged; /* normalised names that go */
    json_t *events;  /* [["untag"|"delete", id]], told once it is done */
    bool deleted;    /* an image goes */
    int64_t reclaimed;
};

static void removal_report(struct removal *x, const char *key, const char *what)
{
    json_t *item = json_object();

    json_set_str(item, key, what);
    json_array_append_new(x->report, item);
}

static void removal_untag(struct removal *x, const char *name)
{
    _cleanup_free_ char *familiar = images_familiar(name);

    images_change_name(x->change, name, NULL);
    removal_report(x, "Untagged", familiar);
    strv_push(&x->untagged, name);
    json_array_append_new(x->events, json_pack("[s, s]", "untag", x->id));
}

static void removal_delete(struct removal *x, const struct remove_use *use)
{
    json_t *row = NULL;

    if (remove_is_used(use)) { /* forced: its layers stay as long as a container stands on them */
        row = json_copy(json_object_get(x->e->images->rows, x->id));
        json_set_bool(row, "Orphan", true);
    }
    images_change_row(x->change, x->id, row);
    removal_report(x, "Deleted", x->id);
    json_array_append_new(x->events, json_pack("[s, s]", "delete", x->id));
    x->deleted = true;
}

/* A tag goes; digests of its repository go with the last tag of it. */
static void removal_untag_repository(struct removal *x, const char *removed, char *const *names)
{
    size_t len = strcspn(strrchr(removed, '/'), ":@") + (size_t)(strrchr(removed, '/') - removed);

    for (char *const *name = names; name && *name; name++)
        if (!str_eq(*name, removed) && strncmp(*name, removed, len) == 0 && (*name)[len] == ':')
            return; /* another tag */
    for (char *const *name = names; name && *name; name++)
        if (!str_eq(*name, removed) && strncmp(*name, removed, len) == 0 && (*name)[len] == '@')
            removal_untag(x, *name);
}

static bool removal_names_left(const struct removal *x, char *const *names)
{
    for (char *const *name = names; name && *name; name++)
        if (!strv_contains(x->untagged, *name))
            return true;
    return false;
}

static int removal_by_name(struct removal *x, const char *ref, const char *name, bool force, struct err *err)
{
    _cleanup_strv_ char **names = images_names(x->e, x->id);
    struct remove_use use = remove_uses(x->e, x->id);

    if (!force && remove_is_single(names) && remove_is_used(&use))
        return err_set(
            err, ERR_CONFLICT,
            "conflict: unable to remove repository reference \"%s\" (must force) - container %.*s is using "
            "its referenced image %.*s",
            ref, SHORT_ID, use.running[0] ? use.running : use.stopped, SHORT_ID, digest_hex(x->id));
    removal_untag(x, name);
    if (!strchr(name, '@'))
        removal_untag_repository(x, name, names);
    /* an image in use, or with children, stays without a name: that was asked for */
    if (!removal_names_left(x, names) && !use.running[0] && (force || !use.stopped[0]) &&
        !images_has_children(x->e, x->id, NULL))
        removal_delete(x, &use);
    return 0;
}

static int removal_by_id(struct removal *x, bool force, struct err *err)
{
    _cleanup_strv_ char **names = images_names(x->e, x->id);
    struct remove_use use = remove_uses(x->e, x->id);
    unsigned checks = force ? 0 : REMOVE_CHECK_STOPPED;

    if (!force && names && !remove_is_single(names))
        checks |= REMOVE_CHECK_NAMES;
    if (remove_check(x->e, x->id, &use, checks, err) < 0)
        return -1;
    for (char **name = names; name && *name; name++)
        removal_untag(x, *name);
    removal_delete(x, &use);
    return 0;
}

/* What the deleted image was made from goes as well, as far as nothing else has it: no name, no container, no child. */
static void removal_delete_parents(struct removal *x)
{
    const struct remove_use unused = {0};

    for (;;) {
        const json_t *row = json_object_get(x->e->images->rows, x->id);
        const char *parent = json_str_or(row, "Parent", "");
        const json_t *its = json_object_get(x->e->images->rows, parent);
        _cleanup_strv_ char **names = its ? images_names(x->e, parent) : NULL;

        if (!its || json_bool_or(its, "Orphan", false) || removal_names_left(x, names) ||
            json_object_get(json_object_get(x->change, "rows"), parent) || images_in_use(x->e, parent) ||
            images_has_children(x->e, parent, x->change))
            return;
        snprintf(x->id, sizeof(x->id), "%s", parent);
        removal_delete(x, &unused);
    }
}

static void removal_swept(void *arg, enum image_object kind, const char *digest, int64_t size)
{
    struct removal *x = arg;

    if (kind == IMAGE_OBJECT_LAYER) {
        removal_report(x, "Deleted", digest);
        x->reclaimed += size;
    }
}

/* After the lock: events, and what the image leaves behind. */
static int removal_end(struct removal *x, struct err *err)
{
    const json_t *event;
    size_t i;

    json_array_foreach (x->events, i, event) {
        const char *id = json_string_value(json_array_get(event, 1));

        images_event(x->e, json_string_value(json_array_get(event, 0)), id, id);
    }
    if (!x->deleted)
        return 0;
    return images_sweep(x->e, removal_swept, x, err);
}

static void removal_finish(struct removal *x)
{
    json_decref(x->change);
    json_decref(x->report);
    json_decref(x->events);
    strv_free(x->untagged);
}

static void removal_init(struct removal *x, struct engine *e)
{
    *x = (struct removal){
        .e = e, .change = images_change_new(), .report = json_array(), .events = json_array()};
}

int engine_image_remove(struct engine *e, const char *ref, const struct engine_image_remove_options *o,
                        json_t **ret, struct err *err)
{
    _cleanup_images_match_ struct images_match m = {0};
    _cleanup_(removal_finish) struct removal x;
    int r;

    removal_init(&x, e);
    engine_images_lock(e);
    r = images_match(e, ref, &m, err);
    if (r == 0)
        r = images_check_platform(ref, o->platform, m.row, err);
    if (r == 0) {
        snprintf(x.id, sizeof(x.id), "%s", m.id);
        r = m.name ? removal_by_name(&x, ref, m.name, o->force, err) : removal_by_id(&x, o->force, err);
        if (r == 0 && x.deleted && !o->no_prune)
            removal_delete_parents(&x);
    }
    if (r == 0)
        r = images_apply(e, take_ptr(&x.change), err);
    engine_images_unlock(e);
    if (r < 0 || removal_end(&x, err) < 0)
        return -1;
    *ret = take_ptr(&x.report);
    return 0;
}

/* ---- prune ---- */

struct prune {
    const json_t *filters;
    bool dangling, has_until;
    int64_t until;
};

static int prune_prepare(struct prune *p, const json_t *filters, struct err *err)
{
    static const char *const allowed[] = {"dangling", "label", "label!", "until", NULL};

    *p = (struct prune){.filters = filters};
    if (filters_check(filters, allowed, err) < 0 ||
        filters_bool(filters, "dangling", true, &p->dangling, err) < 0 ||
        filters_time(filters, "until", &p->has_until, &p->until, err) < 0)
        return -1;
    return 0;
}

static bool prune_wants(struct engine *e, const struct prune *p, const char *id, const json_t *row)
{
    _cleanup_strv_ char **tags = images_familiar_names(e, id, /* digests= */ false);
    const json_t *labels = json_object_get(row, "Labels");

    return !json_bool_or(row, "Orphan", false) && !(p->dangling && tags) && !images_in_use(e, id) &&
           !(p->has_until && json_int_or(row, "Created", 0) >= p->until) &&
           filters_match_labels(p->filters, "label", labels) &&
           !(filters_has(p->filters, "label!") && filters_match_labels(p->filters, "label!", labels));
}

/* Adds every image that may go to one change. */
static void prune_collect(struct removal *x, const struct prune *p)
{
    const struct remove_use unused = {0};
    const char *id;
    json_t *row;

    json_object_foreach (x->e->images->rows, id, row) {
        _cleanup_strv_ char **names = NULL;
        bool parent;

        if (json_object_get(json_object_get(x->change, "rows"), id) || !prune_wants(x->e, p, id, row))
            continue;
        names = images_names(x->e, id);
        parent = images_has_children(x->e, id, x->change);
        if (!names && parent) /* goes with the last of them */
            continue;
        snprintf(x->id, sizeof(x->id), "%s", id);
        for (char **name = names; name && *name; name++)
            removal_untag(x, *name);
        if (parent)
            continue;
        removal_delete(x, &unused);
        removal_delete_parents(x);
    }
}

int engine_image_prune(struct engine *e, const json_t *filters, json_t **ret, struct err *err)
{
    _cleanup_(removal_finish) struct removal x;
    struct prune p;
    int r;

    if (prune_prepare(&p, filters, err) < 0)
        return -1;
    removal_init(&x, e);
    engine_images_lock(e);
    prune_collect(&x, &p);
    r = images_apply(e, take_ptr(&x.change), err);
    engine_images_unlock(e);
    x.deleted = true; /* whatever is found: what nothing refers to goes, too */
    if (r < 0 || removal_end(&x, err) < 0)
        return -1;
    *ret = json_pack("{s:o, s:I}", "ImagesDeleted",
                     json_array_size(x.report) ? json_incref(x.report) : json_null(), "SpaceReclaimed",
                     (json_int_t)x.reclaimed);
    events_add_prune(e->events, "image", x.reclaimed);
    return 0;
}
