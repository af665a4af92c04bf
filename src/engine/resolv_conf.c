/* resolv.conf of a container from the host's, in the form that Docker's has: servers, search, options, the rest. */
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/netfiles.h"

#define EMBEDDED_SERVER "127.0.0.11"

static const char *const public_servers[] = {"8.8.8.8", "8.8.4.4"};
static const char *const public_servers6[] = {"2001:4860:4860::8888", "2001:4860:4860::8844"};

/* What a file says. */
struct resolv {
    char **servers, **search, **options, **others;
};

static void resolv_finish(struct resolv *r)
{
    strv_free(r->servers);
    strv_free(r->search);
    strv_free(r->options);
    strv_free(r->others);
}
#define _cleanup_resolv_ _cleanup_(resolv_finish)

static void push_all(char ***list, char *const *words)
{
    for (; *words; words++)
        if (**words)
            strv_push(list, *words);
}

static void replace(char ***list, const json_t *with)
{
    const json_t *value;
    size_t i;
    if (json_array_size(with) == 0)
        return;
    strv_free(*list);
    *list = NULL;
    json_array_foreach (with, i, value)
        strv_push(list, json_string_value(value));
}

/* Of several search lines the last one counts, of options all. */
static void read_line(struct resolv *r, const char *line)
{
    _cleanup_free_ char *blanks = xstrdup(line);
    for (char *p = blanks; *p; p++)
        if (*p == '\t' || *p == '\r')
            *p = ' ';
    _cleanup_strv_ char **split = strv_split(blanks, ' '), **words = NULL;
    push_all(&words, split);
    if (!words || *words[0] == '#' || *words[0] == ';')
        return;
    if (str_eq(words[0], "nameserver") && words[1]) {
        strv_push(&r->servers, words[1]);
    } else if (str_eq(words[0], "search") || str_eq(words[0], "domain")) {
        strv_free(r->search);
        r->search = NULL;
        push_all(&r->search, words + 1);
    } else if (str_eq(words[0], "options")) {
        push_all(&r->options, words + 1);
    } else if (!str_eq(words[0], "nameserver")) {
        strv_push(&r->others, line);
    }
}

static bool is_loopback(const char *server)
{
    return str_starts(server, "127.") || str_eq(server, "::1") || str_eq(server, "localhost");
}

/* The host's servers that a container reaches, or public ones. */
static void choose_servers(struct resolv *r, const struct netfiles_resolv *asked)
{
    char **kept = NULL;
    for (char **server = r->servers; server && *server; server++)
        if (!is_loopback(*server) && (asked->ipv6 || !strchr(*server, ':')))
            strv_push(&kept, *server);
    if (!kept) {
        for (size_t i = 0; i < ARRAY_SIZE(public_servers); i++)
            strv_push(&kept, public_servers[i]);
        for (size_t i = 0; asked->ipv6 && i < ARRAY_SIZE(public_servers6); i++)
            strv_push(&kept, public_servers6[i]);
    }
    strv_free(r->servers);
    r->servers = kept;
}

/* Every name is tried as it is first: with a name server of its own that costs nothing. */
static void add_ndots(struct resolv *r)
{
    for (char **option = r->options; option && *option; option++)
        if (str_starts(*option, "ndots:"))
            return;
    strv_push(&r->options, "ndots:0");
}

static void put_words(struct buf *out, const char *word, char *const *list)
{
    if (!list || !*list)
        return;
    buf_puts(out, word);
    for (; *list; list++)
        buf_printf(out, " %s", *list);
    buf_putc(out, '\n');
}

int netfiles_compose_resolv(const char *host_text, const struct netfiles_resolv *asked, struct buf *out)
{
    _cleanup_resolv_ struct resolv r = {.servers = NULL};
    _cleanup_strv_ char **lines = strv_split(host_text, '\n');
    for (char **line = lines; *line; line++)
        read_line(&r, *line);
    replace(&r.servers, asked->dns);
    replace(&r.search, asked->search);
    replace(&r.options, asked->options);
    if (asked->served) {
        strv_free(r.servers);
        r.servers = NULL;
        strv_push(&r.servers, EMBEDDED_SERVER);
        add_ndots(&r);
    } else if (!asked->host_network && json_array_size(asked->dns) == 0) {
        choose_servers(&r, asked);
    }
    for (char **server = r.servers; server && *server; server++)
        buf_printf(out, "nameserver %s\n", *server);
    if (!r.search || !str_eq(r.search[0], ".")) /* says that there's none */
        put_words(out, "search", r.search);
    put_words(out, "options", r.options);
    for (char **other = r.others; other && *other; other++)
        buf_printf(out, "%s\n", *other);
    return out->error;
}
