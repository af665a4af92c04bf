/* What may be asked of a new network, and how a refusal reads. */
#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/networks_internal.h"
#include "network/pool.h"

#define INVALID_CONFIG "invalid network config:\n"

static int networks_check_name(struct engine *e, const char *name, struct err *err)
{
    if (str_empty(name) || !name[strspn(name, " \t\n\r\v\f")])
        return err_set(err, ERR_INVALID, "invalid name: name is empty");
    if (networks_is_predefined(name) || str_eq(name, "default"))
        return err_set(err, ERR_FORBIDDEN, "operation is not permitted on predefined %s network ", name);
    if (strlen(name) > 255)
        return err_set(err, ERR_INVALID, "invalid name: it is too long");
    for (const struct network_entry *n = e->networks->first; n; n = n->next)
        if (str_eq(n->name, name))
            return err_set(err, ERR_CONFLICT, "network with name %s already exists", name);
    return 0;
}

static int networks_check_driver(struct engine *e, const char *driver, struct err *err)
{
    if (str_eq(driver, "host") || str_eq(driver, "null"))
        return err_set(err, ERR_FORBIDDEN, "only one instance of \"%s\" network is allowed", driver);
    if (str_eq(driver, "overlay"))
        return err_set(err, ERR_NOT_IMPLEMENTED, "the network driver %s is not implemented by keg yet",
                       driver);
    if (!str_eq(driver, "bridge") && !str_eq(driver, "macvlan") && !str_eq(driver, "ipvlan"))
        return err_set(err, ERR_NOT_FOUND, "plugin \"%s\" not found", driver);
    if (!e->network_host)
        return err_set(err, ERR_FORBIDDEN, "this kegd runs with --bridge=none: it has no bridge networks");
    return 0;
}

static bool networks_has(const json_t *body, const char *path)
{
    const json_t *value = json_at(body, path);

    return json_is_true(value) || json_array_size(value) || json_object_size(value) ||
           (json_is_string(value) && *json_string_value(value));
}

/* What Docker has and keg hasn't is refused rather than passed over. */
static int networks_check_features(const json_t *body, struct err *err)
{
    static const char *const unsupported[] = {"ConfigOnly", "ConfigFrom.Network", "Ingress", "IPAM.Options"};
    const char *ipam = json_str_or(json_object_get(body, "IPAM"), "Driver", "");

    for (size_t i = 0; i < ARRAY_SIZE(unsupported); i++)
        if (networks_has(body, unsupported[i]))
            return err_set(err, ERR_NOT_IMPLEMENTED, "network option %s is not implemented by keg yet",
                           unsupported[i]);
    if (*ipam && !str_eq(ipam, "default"))
        return err_set(err, ERR_NOT_IMPLEMENTED, "the IPAM driver %s is not implemented by keg yet", ipam);
    return 0;
}

/* ---- addresses ---- */

static bool networks_is_inside(const struct subnet *subnet, const char *text)
{
    struct address address;

    return address_parse(text, &address) == 0 && subnet_contains(subnet, &address);
}

static int networks_check_range(const struct subnet *subnet, const char *shown, const char *range,
                                struct err *err)
{
    struct subnet part;

    if (subnet_parse(range, &part, NULL) < 0)
        return err_set(err, ERR_INVALID, INVALID_CONFIG "invalid ip-range %s: invalid CIDR block notation",
                       range);
    if (part.prefix < subnet->prefix || !subnet_contains(subnet, &part.base))
        return err_set(err, ERR_INVALID,
                       INVALID_CONFIG "invalid ip-range %s: parent subnet %s doesn't contain ip-range", range,
                       shown);
    return 0;
}

/* One row of IPAM.Config. */
static int networks_check_subnet(const json_t *config, struct err *err)
{
    const char *text = json_str_or(config, "Subnet", ""), *gateway = json_str_or(config, "Gateway", "");
    const char *range = json_str_or(config, "IPRange", ""), *name;
    struct subnet subnet;
    char base[SUBNET_TEXT_SIZE];
    struct address given;
    json_t *address;

    if (json_object_size(config) == 0)
        return 0;
    if (subnet_parse(text, &subnet, &given) < 0)
        return err_set(err, ERR_INVALID, INVALID_CONFIG "invalid subnet %s: invalid CIDR block notation",
                       text);
    subnet_format(&subnet, base);
    if (!address_equal(&given, &subnet.base))
        return err_set(err, ERR_INVALID, INVALID_CONFIG "invalid subnet %s: it should be %s", text, base);
    if (*range && networks_check_range(&subnet, text, range, err) < 0)
        return -1;
    if (*gateway && !networks_is_inside(&subnet, gateway))
        return err_set(err, ERR_INVALID,
                       INVALID_CONFIG "invalid gateway %s: parent subnet %s doesn't contain this address",
                       gateway, text);
    json_object_foreach (json_object_get(config, "AuxiliaryAddresses"), name, address)
        if (!json_is_string(address) || !networks_is_inside(&subnet, json_string_value(address)))
            return err_set(err, ERR_INVALID,
                           INVALID_CONFIG
                           "invalid auxiliary address %s: parent subnet %s doesn't contain this address",
                           name, text);
    return 0;
}

static int networks_check_subnets(const json_t *body, struct err *err)
{
    const json_t *row;
    size_t i;

    json_array_foreach (json_at(body, "IPAM.Config"), i, row)
        if (networks_check_subnet(row, err) < 0)
            return -1;
    return 0;
}

/* ---- options ---- */

static int option_bool(const char *key, const char *value, struct err *err)
{
    bool ignored;

    return str_to_bool(value, &ignored) == 0
               ? 0
               : err_set(err, ERR_INVALID,
                         "failed to parse %s value: %s (strconv.ParseBool: parsing \"%s\": invalid syntax)",
                         key, value, value);
}

static int option_number(const char *key, const char *value, struct err *err)
{
    uint32_t ignored;

    return str_to_u32(value, &ignored) == 0
               ? 0
               : err_set(err, ERR_INVALID,
                         "failed to parse %s value: %s (strconv.Atoi: parsing \"%s\": invalid syntax)", key,
                         value, value);
}

static int option_address(const char *key, const char *value, struct err *err)
{
    struct in_addr ignored;

    return inet_pton(AF_INET, value, &ignored) == 1
               ? 0
               : err_set(err, ERR_INVALID, "failed to parse %s value: %s (nil ip)", key, value);
}

static int option_gateway_mode(const char *key, const char *value, struct err *err)
{
    static const char *const known[] = {"nat-unprotected", "routed", "isolated", NULL};

    if (str_eq(value, "nat") || !*value)
        return 0;
    if (strv_contains((char *const *)known, value))
        return err_set(err, ERR_NOT_IMPLEMENTED, "the gateway mode %s is not implemented by keg yet: nat is",
                       value);
    return err_set(err, ERR_INVALID, "failed to parse %s value: %s (unknown gateway mode %s)", key, value,
                   value);
}

static int option_unsupported(const char *key, const char *value, struct err *err)
{
    return *value && !str_eq(value, "false")
               ? err_set(err, ERR_NOT_IMPLEMENTED, "network option %s is not implemented by keg yet", key)
               : 0;
}

/* What isn't here is kept and means nothing, as with Docker. */
static const struct {
    const char *key;
    int (*check)(const char *key, const char *value, struct err *err);
} network_options[] = {
    {"com.docker.network.bridge.enable_icc", option_bool},
    {"com.docker.network.bridge.enable_ip_masquerade", option_bool},
    {"com.docker.network.bridge.host_binding_ipv4", option_address},
    {"com.docker.network.bridge.gateway_mode_ipv4", option_gateway_mode},
    {"com.docker.network.bridge.gateway_mode_ipv6", option_gateway_mode},
    {NETWORKS_OPTION_IPV4, option_bool},
    {NETWORKS_OPTION_IPV6, option_bool},
    {"com.docker.network.bridge.inhibit_ipv4", option_unsupported},
    {"com.docker.network.bridge.trusted_host_interfaces", option_unsupported},
    {"com.docker.network.host_ipv4", option_unsupported},
    {"com.docker.network.host_ipv6", option_unsupported},
    {"com.docker.network.driver.mtu", option_number},
};

static int networks_check_options(struct engine *e, const json_t *options, struct err *err)
{
    const char *bridge = json_str(options, "com.docker.network.bridge.name");

    for (size_t i = 0; i < ARRAY_SIZE(network_options); i++) {
        const char *value = json_str(options, network_options[i].key);

        if (value && network_options[i].check(network_options[i].key, value, err) < 0)
            return -1;
    }
    for (const struct network_entry *n = e->networks->first; bridge && n; n = n->next)
        if (n->network && str_eq(network_bridge(n->network), bridge))
            return err_set(
                err, ERR_FORBIDDEN,
                "cannot create network (%s): conflicts with network %s (%s): networks have same bridge name",
                bridge, n->id, bridge);
    return 0;
}

int networks_check(struct engine *e, const json_t *body, const char *driver, struct err *err)
{
    if (networks_check_name(e, json_str(body, "Name"), err) < 0 ||
        networks_check_driver(e, driver, err) < 0 || networks_check_features(body, err) < 0 ||
        networks_check_subnets(body, err) < 0 ||
        networks_check_options(e, json_object_get(body, "Options"), err) < 0)
        return -1;
    if (!networks_wants(body, "EnableIPv4", NETWORKS_OPTION_IPV4, true) &&
        !networks_wants(body, "EnableIPv6", NETWORKS_OPTION_IPV6, false))
        return err_set(err, ERR_INVALID, "IPv4 or IPv6 must be enabled");
    return 0;
}
