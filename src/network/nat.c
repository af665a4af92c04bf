/* keg's own nftables table, `ip <tag>`: address translation and the walls between networks.
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

static const char *protocol_name(uint8_t protocol)
{
    return protocol == IPPROTO_UDP ? "udp" : "tcp";
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
    char host[INET_ADDRSTRLEN], ip[INET_ADDRSTRLEN];

    buf_printf(b, "%s . ", protocol_name(p->protocol));
    if (p->host_ip)
        buf_printf(b, "%s . ", inet_ntop(AF_INET, &p->host_ip, host, sizeof(host)));
    buf_printf(b, "%u", p->host_port);
    if (with_value)
        buf_printf(b, " : %s . %u", inet_ntop(AF_INET, &p->ip, ip, sizeof(ip)), p->container_port);
}

static void put_elements(struct buf *b, const struct nat_port *ports, size_t count, bool with_host,
                         bool with_value, const char *before, const char *after)
{
    bool first = true;

    for (size_t i = 0; i < count; i++) {
        if ((ports[i].host_ip != 0) != with_host)
            continue;
        buf_puts(b, first ? before : ", ");
        put_element(b, &ports[i], with_value);
        first = false;
    }
    if (!first)
        buf_puts(b, after);
}

static void put_maps(struct buf *b, const struct network_host *h)
{
    buf_puts(b, "map ports_any { type inet_proto . inet_service : ipv4_addr . inet_service;");
    put_elements(b, h->ports, h->port_count, false, true, " elements = { ", " };");
    buf_puts(b, " }\nmap ports_ip { type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service;");
    put_elements(b, h->ports, h->port_count, true, true, " elements = { ", " };");
    buf_puts(b, " }\n");
}

static void put_postrouting(struct buf *b, const struct network_host *h)
{
    buf_puts(b, "chain postrouting { type nat hook postrouting priority srcnat; policy accept;\n");
    for (const struct network *n = h->networks; n; n = n->next) {
        if (n->masquerade && !n->internal)
            buf_printf(b, "ip saddr %s oifname != \"%s\" masquerade\n", n->subnet_text, n->bridge);
        /* to a published port of the own network, by way of the host's address; and from the host's loopback
         */
        buf_printf(b, "ip saddr %s oifname \"%s\" ct status dnat masquerade\n", n->subnet_text, n->bridge);
        buf_printf(b, "ip saddr 127.0.0.0/8 oifname \"%s\" masquerade\n", n->bridge);
    }
    buf_puts(b, "}\n");
}

static void put_forward(struct buf *b, const struct network_host *h)
{
    buf_puts(b, "chain forward { type filter hook forward priority filter; policy accept;\n"
                "ct state established,related accept\n");
    for (const struct network *n = h->networks; n; n = n->next) {
        buf_printf(b, "iifname \"%s\" oifname \"%s\" %s\n", n->bridge, n->bridge, n->icc ? "accept" : "drop");
        if (n->internal)
            buf_printf(b, "iifname \"%s\" drop\noifname \"%s\" drop\n", n->bridge, n->bridge);
    }
    for (const struct network *n = h->networks; n; n = n->next)
        if (!n->internal) /* what is not published is not reached from outside, other networks included */
            buf_printf(b, "oifname \"%s\" ct status dnat accept\noifname \"%s\" drop\n", n->bridge,
                       n->bridge);
    buf_puts(b, "}\n");
}

static void put_table(struct buf *b, const struct network_host *h)
{
    buf_printf(b, "table ip %s\ndelete table ip %s\ntable ip %s {\n", h->tag, h->tag, h->tag);
    put_maps(b, h);
    buf_puts(b, "chain ports {\n"
                "meta l4proto { tcp, udp } dnat ip to meta l4proto . ip daddr . th dport map @ports_ip\n"
                "meta l4proto { tcp, udp } dnat ip to meta l4proto . th dport map @ports_any\n}\n"
                "chain prerouting { type nat hook prerouting priority dstnat; policy accept;\n"
                "fib daddr type local jump ports\n}\n"
                "chain output { type nat hook output priority -100; policy accept;\n"
                "fib daddr type local jump ports\n}\n"
                /* a neighbour must not reach what is published on 127.0.0.1 alone */
                "chain loopback { type filter hook prerouting priority raw; policy accept;\n"
                "iifname != \"lo\" ip daddr 127.0.0.0/8 drop\n}\n");
    put_postrouting(b, h);
    put_forward(b, h);
    buf_puts(b, "}\n");
}

static int sync_locked(struct network_host *h, struct err *err)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(TABLE_TEXT_MAX);

    pthread_mutex_lock(&h->lock);
    put_table(&b, h);
    pthread_mutex_unlock(&h->lock);
    return run(&b, err);
}

int nat_sync(struct network_host *h, struct err *err)
{
    int r;

    if (!h->nat)
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
    char before[96];
    int r;

    if (!h->nat || !h->settled || count == 0)
        return 0;
    for (int with_host = 0; with_host < 2; with_host++) {
        snprintf(before, sizeof(before), "%s element ip %s %s { ", add ? "add" : "delete", h->tag,
                 with_host ? "ports_ip" : "ports_any");
        put_elements(&b, ports, count, with_host, add, before, " }\n");
    }
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

    if (!h->nat)
        return 0;
    buf_printf(&b, "table ip %s\ndelete table ip %s\n", h->tag, h->tag);
    pthread_mutex_lock(&h->nft_lock);
    r = run(&b, err);
    pthread_mutex_unlock(&h->nft_lock);
    return r;
}
