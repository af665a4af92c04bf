/* Users and groups of an image. Its files are hostile: read bounded, parsed line by line, numbers strictly. A
 * user or group that looks like a number is one: a passwd entry whose *name* is "0" or "4294967296" never
 * matches. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "engine/oci.h"
#include "storage/storage.h"

struct passwd_line {
    const char *name, *home;
    size_t name_len, home_len;
    uint32_t uid, gid;
};

struct group_line {
    const char *name, *members;
    size_t name_len, members_len;
    uint32_t gid;
};

void oci_user_finish(struct oci_user *u)
{
    free(u->groups);
    free(u->home);
    *u = (struct oci_user){0};
}

/* ---- lines ---- */

enum { FIELDS_MAX = 7 };

/* Cuts one line at ':' into at most FIELDS_MAX pieces; returns how many. */
static size_t cut_line(const char *line, size_t len, const char *field[FIELDS_MAX],
                       size_t field_len[FIELDS_MAX])
{
    size_t n = 0;
    const char *end = line + len;
    while (n < FIELDS_MAX) {
        const char *colon = n == FIELDS_MAX - 1 ? NULL : memchr(line, ':', (size_t)(end - line));
        const char *stop = colon ? colon : end;
        field[n] = line;
        field_len[n++] = (size_t)(stop - line);
        if (!colon)
            break;
        line = colon + 1;
    }
    return n;
}

static bool parse_id(const char *text, size_t len, uint32_t *ret)
{
    char digits[12];
    if (len == 0 || len >= sizeof(digits))
        return false;
    memcpy(digits, text, len);
    digits[len] = '\0';
    return str_to_u32(digits, ret) == 0;
}

/* Moves *text behind its next line. False at the end. */
static bool next_line(const char **text, const char **ret_line, size_t *ret_len)
{
    if (!**text)
        return false;
    const char *newline = strchr(*text, '\n');
    *ret_line = *text;
    *ret_len = newline ? (size_t)(newline - *text) : strlen(*text);
    *text += *ret_len + (newline ? 1 : 0);
    return true;
}

static bool next_passwd(const char **text, struct passwd_line *ret)
{
    const char *line, *f[FIELDS_MAX];
    size_t len, fl[FIELDS_MAX];
    while (next_line(text, &line, &len)) {
        size_t n = cut_line(line, len, f, fl);
        if (n < 4 || !fl[0] || !parse_id(f[2], fl[2], &ret->uid) || !parse_id(f[3], fl[3], &ret->gid))
            continue;
        ret->name = f[0];
        ret->name_len = fl[0];
        ret->home = n > 5 ? f[5] : "";
        ret->home_len = n > 5 ? fl[5] : 0;
        return true;
    }
    return false;
}

static bool next_group(const char **text, struct group_line *ret)
{
    const char *line, *f[FIELDS_MAX];
    size_t len, fl[FIELDS_MAX];
    while (next_line(text, &line, &len)) {
        size_t n = cut_line(line, len, f, fl);
        if (n < 3 || !fl[0] || !parse_id(f[2], fl[2], &ret->gid))
            continue;
        ret->name = f[0];
        ret->name_len = fl[0];
        ret->members = n > 3 ? f[3] : "";
        ret->members_len = n > 3 ? fl[3] : 0;
        return true;
    }
    return false;
}

static bool piece_eq(const char *piece, size_t len, const char *s)
{
    return strlen(s) == len && memcmp(piece, s, len) == 0;
}

static bool has_member(const struct group_line *g, const char *name)
{
    const char *p = g->members, *end = p + g->members_len;
    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *stop = comma ? comma : end;
        if (piece_eq(p, (size_t)(stop - p), name))
            return true;
        p = stop + 1;
    }
    return false;
}

/* ---- resolving ---- */

/* 1: a number, stored; 0: a name; -1: neither (a number that is none). */
static int number_or_name(const char *s, uint32_t *ret, struct err *err)
{
    bool digit = isdigit((unsigned char)*s), sign = (*s == '+' || *s == '-') && isdigit((unsigned char)s[1]);
    if (!digit && !sign)
        return 0;
    size_t digits = strspn(s + sign, "0123456789");
    if (s[sign + digits] != '\0')
        return 0; /* "1password", "7zip": names */
    if (sign || (s[0] == '0' && s[1]) || str_to_u32(s, ret) < 0 || *ret > OCI_ID_MAX)
        return err_set(err, ERR_INVALID, "uids and gids must be in range 0-2147483647: %.64s isn't", s);
    return 1;
}

static void add_group(struct oci_user *u, uint32_t gid)
{
    for (size_t i = 0; i < u->group_count; i++)
        if (u->groups[i] == gid)
            return;
    if (u->group_count >= OCI_GROUPS_MAX)
        return;
    u->groups = xreallocarray(u->groups, u->group_count + 1, sizeof(*u->groups));
    u->groups[u->group_count++] = gid;
}

/* Fills uid, gid, home; *ret_name is the login name or NULL. */
static int resolve_user(const char *user, const char *passwd, struct oci_user *ret, char **ret_name,
                        struct err *err)
{
    uint32_t uid = 0;
    int numeric = *user ? number_or_name(user, &uid, err) : 1;
    if (numeric < 0)
        return -1;
    struct passwd_line line;
    while (next_passwd(&passwd, &line)) {
        if (numeric ? line.uid != uid : !piece_eq(line.name, line.name_len, user))
            continue;
        ret->uid = line.uid;
        ret->gid = line.gid;
        *ret_name = xstrndup(line.name, line.name_len);
        if (line.home_len && *line.home == '/') {
            free(ret->home);
            ret->home = xstrndup(line.home, line.home_len);
        }
        return 0;
    }
    if (!numeric)
        return err_set(err, ERR_INVALID, "unable to find user %.256s: no matching entries in passwd file",
                       user);
    ret->uid = uid;
    ret->gid = 0;
    return 0;
}

static int resolve_group(const char *name, const char *group, uint32_t *ret, struct err *err)
{
    int numeric = number_or_name(name, ret, err);
    struct group_line line;
    if (numeric != 0)
        return numeric < 0 ? -1 : 0;
    while (next_group(&group, &line))
        if (piece_eq(line.name, line.name_len, name)) {
            *ret = line.gid;
            return 0;
        }
    return err_set(err, ERR_INVALID, "unable to find group %.256s: no matching entries in group file", name);
}

int oci_user_resolve(const char *spec, char *const *extra_groups, const char *passwd, const char *group,
                     struct oci_user *ret, struct err *err)
{
    const char *colon = strchr(spec, ':');
    _cleanup_free_ char *user = xstrndup(spec, colon ? (size_t)(colon - spec) : strlen(spec));
    _cleanup_free_ char *login = NULL;
    const char *group_name = colon ? colon + 1 : "";
    *ret = (struct oci_user){.home = xstrdup("/")};
    if (strchr(group_name, ':'))
        return err_set(err, ERR_INVALID, "invalid user: %.256s", spec);
    if (resolve_user(user, passwd, ret, &login, err) < 0)
        return -1;
    if (*group_name && resolve_group(group_name, group, &ret->gid, err) < 0)
        return -1;
    add_group(ret, ret->gid);
    if (!*group_name && login) {
        const char *text = group;
        struct group_line line;
        while (next_group(&text, &line))
            if (has_member(&line, login))
                add_group(ret, line.gid);
    }
    for (char *const *g = extra_groups; g && *g; g++) {
        uint32_t gid;
        if (resolve_group(*g, group, &gid, err) < 0)
            return -1;
        add_group(ret, gid);
    }
    return 0;
}

/* A missing file is an empty one. */
static int read_optional(const struct storage_rootfs *rootfs, const char *path, struct buf *b,
                         struct err *err)
{
    struct err why = {0};
    if (!rootfs || storage_read_file(rootfs, path, b, &why) == 0 || why.kind == ERR_NOT_FOUND)
        return 0;
    if (err)
        *err = why;
    return err_wrap(err, "read the image's %s", path);
}

int oci_user_lookup(const struct storage_rootfs *rootfs, const char *spec, char *const *extra_groups,
                    struct oci_user *ret, struct err *err)
{
    _cleanup_(buf_finish) struct buf passwd = BUF_INIT(OCI_PASSWD_MAX), group = BUF_INIT(OCI_PASSWD_MAX);
    *ret = (struct oci_user){0};
    if (read_optional(rootfs, "/etc/passwd", &passwd, err) < 0 ||
        read_optional(rootfs, "/etc/group", &group, err) < 0)
        return -1;
    return oci_user_resolve(spec, extra_groups, buf_str(&passwd), buf_str(&group), ret, err);
}
