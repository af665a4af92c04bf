/* Names, out of files that are mapped while they are current: a zone's pages are shared by all who read it. */
#include "monitor/dns_names.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define HOST_RESOLVERS "/etc/resolv.conf"

enum { FILE_MAX = 64 << 20, DNS_PORT = 53, SUFFIXES_MAX = 128 };

/* A file's text, as it was when it was last used. */
struct mapped {
    char *text; /* NULL: empty or not there */
    size_t len;
    ino_t inode;
    struct timespec changed;
};

struct link {
    struct link *next;
    char *alias, *target;
};

struct zone {
    struct zone *next;
    char *network, *path;
    struct mapped file;
    struct link *links;
};

struct dns_names {
    char *path;
    struct mapped file;
    struct zone *zones;
    bool short_names_end, host;
    struct dns_server servers[DNS_SERVERS_MAX];
    size_t server_count;
};

/* ---- files ---- */

static void mapped_finish(struct mapped *m)
{
    if (m->text)
        munmap(m->text, m->len);
    *m = (struct mapped){.text = NULL};
}

/* Looks whether the file is another one by now; true when it was. One that has gone is empty. */
static bool mapped_refresh(struct mapped *m, const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        st = (struct stat){.st_ino = 0};
    if (st.st_ino == m->inode && st.st_mtim.tv_sec == m->changed.tv_sec &&
        st.st_mtim.tv_nsec == m->changed.tv_nsec)
        return false;
    mapped_finish(m);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return true;
    m->inode = st.st_ino;
    m->changed = st.st_mtim;
    if (st.st_size <= 0 || st.st_size > FILE_MAX)
        return true;
    void *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (text == MAP_FAILED)
        return true;
    m->text = text;
    m->len = (size_t)st.st_size;
    return true;
}

/* ---- the container's file ---- */

static void forget(struct dns_names *n)
{
    while (n->zones) {
        struct zone *z = n->zones;
        n->zones = z->next;
        while (z->links) {
            struct link *l = z->links;
            z->links = l->next;
            free(l->alias);
            free(l->target);
            free(l);
        }
        mapped_finish(&z->file);
        free(z->network);
        free(z->path);
        free(z);
    }
    n->server_count = 0;
    n->host = n->short_names_end = false;
}

static void add_server(struct dns_server *servers, size_t *count, const char *text, bool host)
{
    struct dns_server s = {.host = host};
    struct sockaddr_in *four = (struct sockaddr_in *)&s.address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&s.address;
    if (*count >= DNS_SERVERS_MAX)
        return;
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(DNS_PORT);
        s.len = sizeof(*four);
    } else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(DNS_PORT);
        s.len = sizeof(*six);
    } else {
        return;
    }
    servers[(*count)++] = s;
}

static struct zone *add_zone(struct zone *last, struct zone **first, const char *network, const char *path)
{
    struct zone *z = xcalloc(1, sizeof(*z));
    z->network = xstrdup(network);
    z->path = xstrdup(path);
    *(last ? &last->next : first) = z;
    return z;
}

static void add_link(struct zone *z, const char *alias, const char *target)
{
    struct link *l = xcalloc(1, sizeof(*l));
    l->alias = xstrdup(alias);
    l->target = xstrdup(target);
    l->next = z->links;
    z->links = l;
}

static void read_line(struct dns_names *n, struct zone **last, const char *line)
{
    _cleanup_strv_ char **words = strv_split(line, ' ');
    size_t count = strv_len(words);
    if (count >= 3 && str_eq(words[0], "zone")) /* a path may have blanks */
        *last = add_zone(*last, &n->zones, words[1], line + strlen(words[0]) + 1 + strlen(words[1]) + 1);
    else if (count == 3 && str_eq(words[0], "link") && *last)
        add_link(*last, words[1], words[2]);
    else if (count == 2 && str_eq(words[0], "server") && str_eq(words[1], "host"))
        n->host = true;
    else if (count == 2 && str_eq(words[0], "server"))
        add_server(n->servers, &n->server_count, words[1], /* host= */ false);
    else if (count == 1 && str_eq(words[0], "short-names-end-here"))
        n->short_names_end = true;
}

static void refresh(struct dns_names *n)
{
    if (mapped_refresh(&n->file, n->path)) {
        _cleanup_free_ char *text = n->file.text ? xstrndup(n->file.text, n->file.len) : xstrdup("");
        _cleanup_strv_ char **lines = strv_split(text, '\n');
        struct zone *last = NULL;
        forget(n);
        for (char **line = lines; *line; line++)
            read_line(n, &last, *line);
    }
    for (struct zone *z = n->zones; z; z = z->next)
        mapped_refresh(&z->file, z->path);
}

struct dns_names *dns_names_new(const char *file)
{
    struct dns_names *n = xcalloc(1, sizeof(*n));
    n->path = xstrdup(file);
    return n;
}

struct dns_names *dns_names_free(struct dns_names *n)
{
    if (!n)
        return NULL;
    forget(n);
    mapped_finish(&n->file);
    free(n->path);
    free(n);
    return NULL;
}

/* ---- looking for names ---- */

/* Adds the address at the start of the line that `at` is in. */
static void add_address(const struct mapped *m, const char *at, struct dns_found *found)
{
    const char *start = memrchr(m->text, '\n', (size_t)(at - m->text));
    char text[INET6_ADDRSTRLEN];
    start = start ? start + 1 : m->text;
    size_t len = strcspn(start, " \n"); /* a name follows: there is a blank */
    if (len >= sizeof(text))
        return;
    memcpy(text, start, len);
    text[len] = '\0';
    if (found->four_count < DNS_ADDRESSES_MAX &&
        inet_pton(AF_INET, text, &found->four[found->four_count]) == 1)
        found->four_count++;
    else if (found->six_count < DNS_ADDRESSES_MAX &&
             inet_pton(AF_INET6, text, &found->six[found->six_count]) == 1)
        found->six_count++;
}

static bool any_found(const struct dns_found *found)
{
    return found->four_count + found->six_count > 0;
}

/* Every line that has the name, from ' ' before to ' ' or '\n' behind it. */
static bool zone_find(const struct zone *z, const char *name, struct dns_found *found)
{
    const struct mapped *m = &z->file;
    _cleanup_free_ char *word = xasprintf(" %s", name);
    size_t len = strlen(word);
    const char *end = m->text + m->len, *at = m->text;
    if (len < 2 || !m->text || end[-1] != '\n')
        return false;
    while ((at = memmem(at, (size_t)(end - at), word, len))) {
        if (at[len] == ' ' || at[len] == '\n')
            add_address(m, at, found);
        at += len;
    }
    return any_found(found);
}

static bool zone_find_linked(const struct zone *z, const char *name, struct dns_found *found)
{
    for (const struct link *l = z->links; l; l = l->next)
        if (str_eq(l->alias, name) && zone_find(z, l->target, found))
            return true;
    return zone_find(z, name, found);
}

/* In one network, or (NULL) in the first that has it. */
static bool find_in(const struct dns_names *n, const char *name, const char *network, struct dns_found *found)
{
    for (const struct zone *z = n->zones; z; z = z->next)
        if ((!network || str_eq(z->network, network)) && zone_find_linked(z, name, found))
            return true;
    return false;
}

int dns_names_find(struct dns_names *n, const char *name, struct dns_found *ret)
{
    ret->four_count = ret->six_count = 0;
    if (!*name || strpbrk(name, " \n"))
        return -ENOENT;
    refresh(n);
    if (find_in(n, name, NULL, ret))
        return 0;
    _cleanup_free_ char *head = xstrdup(name);
    for (int i = 0; i < SUFFIXES_MAX; i++) { /* "a.b.c": a.b on c, a on b.c */
        char *dot = strrchr(head, '.');
        if (!dot)
            break;
        *dot = '\0';
        if (find_in(n, head, name + (dot - head) + 1, ret))
            return 0;
    }
    return -ENOENT;
}

int dns_names_reverse(struct dns_names *n, int family, const void *address, char *out, size_t size)
{
    char line[INET6_ADDRSTRLEN + 1], text[INET6_ADDRSTRLEN];
    refresh(n);
    int len = snprintf(line, sizeof(line), "%s ", inet_ntop(family, address, text, sizeof(text)));
    for (const struct zone *z = n->zones; z; z = z->next) {
        const char *at = z->file.text, *end = at + z->file.len;
        while (at && end[-1] == '\n' && (at = memmem(at, (size_t)(end - at), line, (size_t)len))) {
            if (at == z->file.text || at[-1] == '\n') {
                at += len;
                snprintf(out, size, "%.*s%s%s", (int)strcspn(at, " \n"), at,
                         str_eq(z->network, "-") ? "" : ".", str_eq(z->network, "-") ? "" : z->network);
                return 0;
            }
            at += len;
        }
    }
    return -ENOENT;
}

/* ---- others ---- */

/* Read each time: it is small, and whoever changes it wants it to be heard of. */
static void add_host_servers(struct dns_server *out, size_t *count)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(65536);
    char server[64];
    if (file_read(AT_FDCWD, HOST_RESOLVERS, &text) < 0)
        return;
    _cleanup_strv_ char **lines = strv_split(buf_str(&text), '\n');
    for (char **line = lines; *line; line++)
        if (sscanf(*line, " nameserver %63s", server) == 1)
            add_server(out, count, server, /* host= */ true);
}

size_t dns_names_servers(struct dns_names *n, const char *name, struct dns_server out[DNS_SERVERS_MAX])
{
    size_t count = 0;
    refresh(n);
    if (n->short_names_end && !strchr(name, '.'))
        return 0;
    for (; count < n->server_count; count++)
        out[count] = n->servers[count];
    if (n->host)
        add_host_servers(out, &count);
    return count;
}
