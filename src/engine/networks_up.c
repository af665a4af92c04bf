/* From a network's row to the network of src/network, and what that chose back into the row. */
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/networks_internal.h"

#define OPTION_BRIDGE "com.docker.network.bridge."

static bool option_bool(const json_t *options, const char *key, bool otherwise)
{
    bool value;

    return str_to_bool(json_str_or(options, key, ""), &value) < 0 ? otherwise : value;
}

/* ---- subnets ---- */

static const json_t *find_subnet(const json_t *rows, const char *subnet)
{
    const json_t *row;
    size_t i;

    json_array_foreach (rows, i, row)
        if (str_eq(json_str(row, "Subnet"), subnet))
            return row;
    return NULL;
}

json_t *networks_chosen(const struct network_entry *n)
{
    static const char *const members[] = {"IPRange", "AuxiliaryAddresses"};
    json_t *chosen = json_object_get(n->row, "Chosen"), *config = json_at(n->row, "IPAM.Config"), *rows, *row;
    size_t i;

    if (json_is_object(chosen)) /* as it was kept while networks had one subnet */
        rows = json_pack("[O]", chosen);
    else
        rows = json_is_array(chosen) ? json_deep_copy(chosen) : json_array();
    json_array_foreach (rows, i, row) {
        const json_t *asked = find_subnet(config, json_str_or(row, "Subnet", ""));

        for (size_t j = 0; j < ARRAY_SIZE(members); j++)
            if (json_object_get(asked, members[j]))
                json_object_set(row, members[j], json_object_get(asked, members[j]));
    }
    return rows;
}

char **networks_own(const struct network_entry *n)
{
    const json_t *chosen = json_object_get(n->row, "Chosen"), *own;
    char **list = NULL;
    size_t i;

    json_array_foreach (json_object_get(n->row, "Own"), i, own)
        strv_push(&list, json_string_value(own));
    for (i = 0; str_eq(n->name, "bridge") && n->network && i < network_pool_count(n->network); i++)
        strv_push(&list, network_subnet(n->network, i)); /* kegd said it */
    if (json_is_object(chosen) && json_bool_or(chosen, "Asked", false))
        strv_push(&list, json_str_or(chosen, "Subnet", ""));
    return list;
}

/* Addresses that are somebody else's. */
static char **reserved(const json_t *row)
{
    char **list = NULL;
    const char *name;
    json_t *address;

    json_object_foreach (json_object_get(row, "AuxiliaryAddresses"), name, address)
        strv_push(&list, json_string_value(address) ? json_string_value(address) : "");
    return list;
}

static struct network_subnet *read_subnets(const json_t *rows, size_t *ret_count)
{
    struct network_subnet *list = xcalloc(json_array_size(rows) + 1, sizeof(*list));
    const json_t *row;
    size_t i;

    *ret_count = 0;
    json_array_foreach (rows, i, row)
        if (!str_empty(json_str(row, "Subnet")))
            list[(*ret_count)++] = (struct network_subnet){.subnet = json_str(row, "Subnet"),
                                                           .gateway = json_str(row, "Gateway"),
                                                           .ip_range = json_str(row, "IPRange"),
                                                           .reserved = (const char *const *)reserved(row)};
    return list;
}

static void free_subnets(struct network_subnet *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        strv_free((char **)list[i].reserved);
    free(list);
}

/* ---- bringing up ---- */

struct network *networks_bring_up(struct engine *e, const struct network_entry *n, const json_t *subnets,
                                  struct err *err)
{
    const json_t *options = json_object_get(n->row, "Options");
    bool standard = str_eq(n->name, "bridge"), is_bridge = str_eq(n->driver, "bridge");
    const char *prefix = str_eq(n->driver, "ipvlan") ? "ipvlan_mode" : "macvlan_mode";
    struct network_definition d = {
        .id = n->id,
        .name = n->name,
        .driver = n->driver,
        .bridge = standard ? NULL : json_str(options, OPTION_BRIDGE "name"),
        .parent = json_str(options, "parent"),
        .mode = json_str(options, prefix),
        .flag = json_str(options, "ipvlan_flag"),
        .ipv4 = json_bool_or(n->row, "EnableIPv4", true),
        .ipv6 = json_bool_or(n->row, "EnableIPv6", false),
        .internal = json_bool_or(n->row, "Internal", false),
        .icc = standard ? !e->options.no_icc : option_bool(options, OPTION_BRIDGE "enable_icc", true),
        .masquerade = option_bool(options, OPTION_BRIDGE "enable_ip_masquerade", true),
        .mtu = is_bridge ? e->options.mtu : 0,
    };
    struct network_subnet *list = read_subnets(subnets, &d.subnet_count);
    struct network *made;
    uint32_t mtu = 0;

    if (str_to_u32(json_str_or(options, "com.docker.network.driver.mtu", ""), &mtu) == 0 && mtu <= 65535)
        d.mtu = (int)mtu;
    d.subnets = list;
    made = network_create(e->network_host, &d, err);
    free_subnets(list, d.subnet_count);
    return made;
}

void networks_note_choice(struct network_entry *n)
{
    json_t *chosen = json_array();

    for (size_t i = 0; i < network_pool_count(n->network); i++) {
        json_t *row = json_pack("{s:s}", "Subnet", network_subnet(n->network, i));

        if (*network_gateway(n->network, i))
            json_set_str(row, "Gateway", network_gateway(n->network, i));
        json_array_append_new(chosen, row);
    }
    json_object_set_new(n->row, "Chosen", chosen);
}

void networks_show_choice(struct network_entry *n)
{
    json_t *ipam = json_at(n->row, "IPAM"), *config = json_object_get(ipam, "Config"), *row;
    json_t *shown = json_is_array(config) ? json_copy(config) : json_array(), *own = json_array();
    size_t i;

    json_array_foreach (config, i, row)
        if (json_object_get(row, "Subnet"))
            json_array_append(own, json_object_get(row, "Subnet"));
    json_array_foreach (json_object_get(n->row, "Chosen"), i, row)
        if (!find_subnet(config, json_str_or(row, "Subnet", "")))
            json_array_append_new(shown, json_copy(row));
    json_object_set_new(ipam, "Config", shown);
    json_object_set_new(n->row, "Own", own);
}

/* ---- the default bridge ---- */

static json_t *default_options(struct engine *e, const char *bridge)
{
    json_t *options = json_pack("{s:s, s:s, s:s, s:s, s:s}", OPTION_BRIDGE "default_bridge", "true",
                                OPTION_BRIDGE "enable_icc", e->options.no_icc ? "false" : "true",
                                OPTION_BRIDGE "enable_ip_masquerade", e->options.no_nat ? "false" : "true",
                                OPTION_BRIDGE "host_binding_ipv4", "0.0.0.0", OPTION_BRIDGE "name", bridge);
    char mtu[16];

    snprintf(mtu, sizeof(mtu), "%d", e->options.mtu ? e->options.mtu : 1500);
    json_set_str(options, "com.docker.network.driver.mtu", mtu);
    return options;
}

/* What kegd's options say of its subnets. */
static json_t *default_subnets(const struct engine_options *o)
{
    json_t *rows = json_array();

    if (o->bip)
        json_array_append_new(rows, json_pack("{s:s}", "Subnet", o->bip));
    if (o->ipv6 && o->bip6) {
        json_t *row = json_pack("{s:s}", "Subnet", o->bip6);

        if (o->fixed_cidr6)
            json_set_str(row, "IPRange", o->fixed_cidr6);
        json_array_append_new(rows, row);
    } else if (o->ipv6 && o->fixed_cidr6) {
        json_array_append_new(rows, json_pack("{s:s}", "Subnet", o->fixed_cidr6));
    }
    return rows;
}

/* The subnets it had before, of families for which the options say none. */
static bool add_chosen(const struct engine_options *o, const struct network_entry *n, json_t *rows)
{
    _cleanup_json_ json_t *chosen = networks_chosen(n);
    const json_t *row;
    bool any = false;
    size_t i;

    json_array_foreach (chosen, i, row) {
        bool six = strchr(json_str_or(row, "Subnet", ""), ':') != NULL;

        if (six ? !o->ipv6 || o->bip6 || o->fixed_cidr6 : o->bip != NULL)
            continue;
        json_array_append(rows, (json_t *)row);
        any = true;
    }
    return any;
}

int networks_start_default(struct engine *e, struct network_entry *n, struct err *err)
{
    _cleanup_json_ json_t *asked = default_subnets(&e->options), *rows = json_copy(asked);
    struct err first = {0};

    json_set_bool(n->row, "EnableIPv6", e->options.ipv6);
    if (add_chosen(&e->options, n, rows)) {
        n->network = networks_bring_up(e, n, rows, &first);
        if (!n->network)
            log_warn("the default bridge gets another subnet: %s", first.message);
    }
    if (!n->network)
        n->network = networks_bring_up(e, n, asked, err);
    if (!n->network)
        return err_wrap(err, "cannot bring up the default bridge (--bridge=none does without)");
    networks_note_choice(n);
    json_object_set_new(json_at(n->row, "IPAM"), "Config", json_deep_copy(json_object_get(n->row, "Chosen")));
    json_object_set_new(n->row, "Options", default_options(e, network_bridge(n->network)));
    return db_put(e->db, DB_NETWORKS, n->id, n->name, n->row, DB_LAZY, err);
}
