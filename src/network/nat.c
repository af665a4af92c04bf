/* keg's own nftables tables, `ip <tag>`, and `ip6 <tag>` while a network has IPv6: address translation and the walls
 * between networks.
 *
 * Published ports are elements of two maps (with and without a host address), so a container more is one
 * element more and never a rule. The rules of a network are fixed by its definition. The whole table can be
 * written anew at any moment in one transaction; connections under way keep their translation. */
#include <arpa/inet.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "network/internal.h"

enum { TABLE_TEXT_MAX = 16 << 20 };

static const char *family_word(int family)
{
    return family == AF_INET6 ? "ip6" : "ip";
}

static bool has_family(const struct network *n, int family)
{
    return n->driver->isolates && (family == AF_INET6 ? n->ipv6 : n->ipv4);
}

static int run(const struct buf *commands, struct err *err)
{
    struct nft_ctx *ctx;
    const char *said;
    int r;

    if (buf_failed(commands))
        return err_errno(err, commands->error, "nftables: table too large");
    ctx = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!ctx)
        return err_set(err, ERR_SYSTEM, "nftables: cannot open a context");
    nft_ctx_buffer_output(ctx);
    nft_ctx_buffer_error(ctx);
    r = nft_run_cmd_from_buffer(ctx, buf_str(commands));
    if (r) {
        said = nft_ctx_get_error_buffer(ctx);
        err_set(err, ERR_SYSTEM, "nftables: %.*s", (int)strcspn(said ? said : "", "\n"),
                str_empty(said) ? "transaction refused" : said);
    }
    nft_ctx_free(ctx);
    return r ? -1 : 0;
}

static void put_element(struct buf *b, const struct nat_port *p, bool with_value)
{
    char text[INET6_ADDRSTRLEN];

    buf_printf(b, "%s . ", port_protocol_name(p->protocol));
    if (p->host_ip.value)
        buf_printf(b, "%s . ", address_format(&p->host_ip, text));
    buf_printf(b, "%u", p->host_port);
    if (with_value)
        buf_printf(b, " : %s . %u", address_format(&p->ip, text), p->container_port);
}

static bool put_elements(struct buf *b, int family, const struct nat_port *ports, size_t count,
                         bool with_host, bool with_value, const char *before, const char *after)
{
    bool first = true;

    for (size_t i = 0; i < count; i++) {
        if ((ports[i].host_ip.value != 0) != with_host || ports[i].host_ip.family != family)
            continue;
        buf_puts(b, first ? before : ", ");
        put_element(b, &ports[i], with_value);
        first = false;
    }
    if (!first)
        buf_puts(b, after);
    return !first;
}

static void put_maps(struct buf *b, const struct network_host *h, int family)
{
    const char *type = family == AF_INET6 ? "ipv6_addr" : "ipv4_addr";

    buf_printf(b, "map ports_any { type inet_proto . inet_service : %s . inet_service;", type);
    put_elements(b, family, h->ports, h->port_count, false, true, " elements = { ", " };");
    buf_printf(b, " }\nmap ports_ip { type inet_proto . %s . inet_service : %s . inet_service;", type, type);
    put_elements(b, family, h->ports, h->port_count, true, true, " elements = { ", " };");
    buf_puts(b, " }\n");
}

static void put_postrouting_of(struct buf *b, const struct network *n, int family)
{
    const char *word = family_word(family);
    const struct network_pool *p = network_first_pool(n, family);

    if (!has_family(n, family))
        return;
    if (n->masquerade && !n->internal)
        buf_printf(b, "%s saddr %s oifname != \"%s\" masquerade\n", word, p->subnet_text, n->bridge);
    /* to a published port of the own network, by way of the host's address; and from the host's loopback */
    buf_printf(b, "%s saddr %s oifname \"%s\" ct status dnat masquerade\n", word, p->subnet_text, n->bridge);
    buf_printf(b, "%s saddr %s oifname \"%s\" masquerade\n", word, family == AF_INET6 ? "::1" : "127.0.0.0/8",
               n->bridge);
}

static void put_postrouting(struct buf *b, const struct network_host *h, int family)
{
    buf_puts(b, "chain postrouting { type nat hook postrouting priority srcnat; policy accept;\n");
    for (const struct network *n = h->networks; n; n = n->next)
        put_postrouting_of(b, n, family);
    buf_puts(b, "}\n");
}

static void put_forward(struct buf *b, const struct network_host *h, int family)
{
    buf_puts(b, "chain forward { type filter hook forward priority filter; policy accept;\n"
                "ct state established,related accept\n");
    for (const struct network *n = h->networks; n; n = n->next) {
        if (!has_family(n, family))
            continue;
        buf_printf(b, "iifname \"%s\" oifname \"%s\" %s\n", n->bridge, n->bridge, n->icc ? "accept" : "drop");
        if (n->internal)
            buf_printf(b, "iifname \"%s\" drop\noifname \"%s\" drop\n", n->bridge, n->bridge);
    }
    for (const struct network *n = h->networks; n; n = n->next)
        if (has_family(n, family) && !n->internal)
            /* what is not published is not reached from outside, other networks included */
            buf_printf(b, "oifname \"%s\" ct status dnat accept\noifname \"%s\" drop\n", n->bridge,
                       n->bridge);
    buf_puts(b, "}\n");
}

static void put_table(struct buf *b, const struct network_host *h, int family)
{
    const char *word = family_word(family);
    /* nothing comes back to ::1 from an interface: there one is refused at once, and tries 127.0.0.1; a neighbour's
     * link-local address is of no use behind a bridge */
    const char *to_ports = family == AF_INET6
                               ? "ip6 saddr != fe80::/10 ip6 daddr != ::1 fib daddr type local jump ports\n"
                               : "fib daddr type local jump ports\n";

    buf_printf(b, "table %s %s\ndelete table %s %s\ntable %s %s {\n", word, h->tag, word, h->tag, word,
               h->tag);
    put_maps(b, h, family);
    buf_printf(b,
               "chain ports {\n"
               "meta l4proto { tcp, udp, sctp } dnat %s to meta l4proto . %s daddr . th dport map @ports_ip\n"
               "meta l4proto { tcp, udp, sctp } dnat %s to meta l4proto . th dport map @ports_any\n}\n"
               "chain prerouting { type nat hook prerouting priority dstnat; policy accept;\n%s}\n"
               "chain output { type nat hook output priority -100; policy accept;\n%s}\n",
               word, word, word, to_ports, to_ports);
    if (family == AF_INET) /* a neighbour must not reach what is published on 127.0.0.1 alone */
        buf_puts(b, "chain loopback { type filter hook prerouting priority raw; policy accept;\n"
                    "iifname != \"lo\" ip daddr 127.0.0.0/8 drop\n}\n");
    put_postrouting(b, h, family);
    put_forward(b, h, family);
    buf_puts(b, "}\n");
}

static void put_removal(struct buf *b, const struct network_host *h, int family)
{
    const char *word = family_word(family);

    buf_printf(b, "table %s %s\ndelete table %s %s\n", word, h->tag, word, h->tag);
}

static bool any_ipv6(const struct network_host *h)
{
    for (const struct network *n = h->networks; n; n = n->next)
        if (has_family(n, AF_INET6))
            return true;
    return false;
}

static int sync_locked(struct network_host *h, struct err *err)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(TABLE_TEXT_MAX), old = BUF_INIT(256);
    bool six;

    pthread_mutex_lock(&h->lock);
    six = h->nat6 && any_ipv6(h);
    if (h->nat)
        put_table(&b, h, AF_INET);
    if (six)
        put_table(&b, h, AF_INET6);
    else if (h->table6)
        put_removal(&old, h, AF_INET6);
    pthread_mutex_unlock(&h->lock);
    if (b.len && run(&b, err) < 0)
        return -1;
    if (old.len)
        run(&old, NULL); /* a kernel whose nftables have no IPv6 has nothing to be removed */
    h->table6 = six;
    return 0;
}

int nat_sync(struct network_host *h, struct err *err)
{
    int r;

    if (!h->nat && !h->nat6)
        return 0;
    pthread_mutex_lock(&h->nft_lock);
    r = sync_locked(h, err);
    pthread_mutex_unlock(&h->nft_lock);
    return r;
}

int nat_change_ports(struct network_host *h, const struct nat_port *ports, size_t count, bool add,
                     struct err *err)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(TABLE_TEXT_MAX);
    const int families[] = {h->nat ? AF_INET : 0, h->nat6 ? AF_INET6 : 0};
    bool any = false;
    char before[96];
    int r;

    if (!h->settled || count == 0)
        return 0;
    for (int i = 0; i < 4; i++) {
        bool with_host = i & 1;

        snprintf(before, sizeof(before), "%s element %s %s %s { ", add ? "add" : "delete",
                 family_word(families[i / 2]), h->tag, with_host ? "ports_ip" : "ports_any");
        any = put_elements(&b, families[i / 2], ports, count, with_host, add, before, " }\n") || any;
    }
    if (!any)
        return 0;
    pthread_mutex_lock(&h->nft_lock);
    r = run(&b, NULL);
    if (r < 0)
        r = sync_locked(h, err);
    pthread_mutex_unlock(&h->nft_lock);
    return r;
}

int nat_remove(struct network_host *h, struct err *err)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(256);
    int r;

    if (h->nat)
        put_removal(&b, h, AF_INET);
    if (h->table6)
        put_removal(&b, h, AF_INET6);
    if (!b.len)
        return 0;
    pthread_mutex_lock(&h->nft_lock);
    r = run(&b, err);
    pthread_mutex_unlock(&h->nft_lock);
    return r;
}
