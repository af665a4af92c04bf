/* keg info, version. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/config.h"
#include "cli/context.h"
#include "cli/endpoint.h"
#include "cli/format.h"
#include "cli/output.h"

static const struct option_row format_options[] = {
    {"format", 'f', OPTION_STRING, format_help_plain},
    {NULL},
};

/* ---- info: lines of text for members of the answer ---- */

enum line_kind {
    LINE_TEXT,
    LINE_EMPTY, /* a text that is printed even if there is none */
    LINE_NUMBER,
    LINE_FLAG,
    LINE_BYTES,
    LINE_LIST,
    LINE_LINES,
    LINE_OPTIONS,
    LINE_PAIRS,
    LINE_KEYS,
    LINE_DEVICES,
    LINE_REGISTRIES,
    LINE_POOLS,
};

/* To add a line: a row. `path` is where in the answer; texts and lists that are empty aren't printed. `when` (or NULL) has to
 * be there: a text that isn't empty, or true. */
static const struct {
    enum line_kind kind;
    const char *title, *path, *when;
} info_lines[] = {
    {LINE_NUMBER, " Containers", "Containers"},
    {LINE_NUMBER, "  Running", "ContainersRunning"},
    {LINE_NUMBER, "  Paused", "ContainersPaused"},
    {LINE_NUMBER, "  Stopped", "ContainersStopped"},
    {LINE_NUMBER, " Images", "Images"},
    {LINE_TEXT, " Server Version", "ServerVersion"},
    {LINE_TEXT, " Storage Driver", "Driver"},
    {LINE_PAIRS, "  ", "DriverStatus"},
    {LINE_TEXT, " Logging Driver", "LoggingDriver"},
    {LINE_TEXT, " Cgroup Driver", "CgroupDriver"},
    {LINE_TEXT, " Cgroup Version", "CgroupVersion"},
    {LINE_LIST, "  Volume", "Plugins.Volume"},
    {LINE_LIST, "  Network", "Plugins.Network"},
    {LINE_LIST, "  Authorization", "Plugins.Authorization"},
    {LINE_LIST, "  Log", "Plugins.Log"},
    {LINE_LINES, " CDI spec directories", "CDISpecDirs"},
    {LINE_DEVICES, " Discovered Devices", "DiscoveredDevices"},
    {LINE_TEXT, " Swarm", "Swarm.LocalNodeState"},
    {LINE_KEYS, " Runtimes", "Runtimes"},
    {LINE_TEXT, " Default Runtime", "DefaultRuntime"},
    {LINE_TEXT, " Init Binary", "InitBinary"},
    {LINE_EMPTY, " containerd version", "ContainerdCommit.ID", "RuncCommit.ID"},
    {LINE_EMPTY, " runc version", "RuncCommit.ID", "RuncCommit.ID"},
    {LINE_EMPTY, " init version", "InitCommit.ID", "RuncCommit.ID"},
    {LINE_OPTIONS, " Security Options", "SecurityOptions"},
    {LINE_TEXT, " Kernel Version", "KernelVersion"},
    {LINE_TEXT, " Operating System", "OperatingSystem"},
    {LINE_TEXT, " OSType", "OSType"},
    {LINE_TEXT, " Architecture", "Architecture"},
    {LINE_NUMBER, " CPUs", "NCPU"},
    {LINE_BYTES, " Total Memory", "MemTotal"},
    {LINE_TEXT, " Name", "Name"},
    {LINE_TEXT, " ID", "ID"},
    {LINE_TEXT, " Docker Root Dir", "DockerRootDir"},
    {LINE_FLAG, " Debug Mode", "Debug"},
    {LINE_NUMBER, "  File Descriptors", "NFd", "Debug"},
    {LINE_NUMBER, "  Goroutines", "NGoroutines", "Debug"},
    {LINE_TEXT, "  System Time", "SystemTime", "Debug"},
    {LINE_NUMBER, "  EventsListeners", "NEventsListener", "Debug"},
    {LINE_TEXT, " HTTP Proxy", "HttpProxy"},
    {LINE_TEXT, " HTTPS Proxy", "HttpsProxy"},
    {LINE_TEXT, " No Proxy", "NoProxy"},
    {LINE_LINES, " Labels", "Labels"},
    {LINE_FLAG, " Experimental", "ExperimentalBuild"},
    {LINE_REGISTRIES, " Insecure Registries", "RegistryConfig"},
    {LINE_LINES, " Registry Mirrors", "RegistryConfig.Mirrors"},
    {LINE_FLAG, " Live Restore Enabled", "LiveRestoreEnabled"},
    {LINE_TEXT, " Product License", "ProductLicense"},
    {LINE_POOLS, " Default Address Pools", "DefaultAddressPools"},
};

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The keys of an object, in order; with `insecure`, of registries that aren't secure alone. The caller frees. */
static char **sorted_keys(const json_t *object, bool insecure)
{
    char **keys = NULL;
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)object, key, value)
        if (!insecure || !json_is_true(json_object_get(value, "Secure")))
            strv_push(&keys, key);
    if (keys)
        qsort(keys, strv_len(keys), sizeof(*keys), compare_texts);
    return keys;
}

static void print_list_line(const char *title, const json_t *list, bool keys)
{
    _cleanup_strv_ char **items = keys ? sorted_keys(list, /* insecure= */ false) : NULL;
    _cleanup_free_ char *joined = NULL;
    const json_t *item;
    size_t i;

    if (!keys)
        json_array_foreach (list, i, item)
            strv_push(&items, json_string_value(item) ? json_string_value(item) : "");
    joined = strv_join(items, " ");
    if (items)
        printf("%s: %s\n", title, joined);
}

/* "name=seccomp,profile=builtin" → "  seccomp" and "   Profile: builtin"; anything else on a line of its own. */
static void print_item(const char *item)
{
    _cleanup_strv_ char **parts = str_empty(item) ? NULL : strv_split(item, ',');

    for (char **part = parts; part && *part; part++) {
        char *value = strchr(*part, '=');

        if (!value || str_starts(*part, "name="))
            printf("  %s\n", value ? value + 1 : *part);
        else
            printf("   %c%.*s: %s\n", toupper((unsigned char)**part), (int)(value - *part - 1), *part + 1,
                   value + 1);
    }
}

/* Insecure ones by name, then by network. */
static void print_registries(const char *title, const json_t *config)
{
    _cleanup_strv_ char **names = sorted_keys(json_object_get(config, "IndexConfigs"), /* insecure= */ true);
    _cleanup_strv_ char **networks = json_strv(config, "InsecureRegistryCIDRs");

    if (strv_len(names) + strv_len(networks))
        printf("%s:\n", title);
    for (char **name = names; name && *name; name++)
        printf("  %s\n", *name);
    for (char **network = networks; network && *network; network++)
        printf("  %s\n", *network);
}

/* Lists with a line for each element. */
static void print_elements(enum line_kind kind, const char *title, const json_t *list)
{
    const json_t *item;
    size_t i;

    if (json_array_size(list))
        printf("%s:\n", title);
    json_array_foreach (list, i, item) {
        if (kind == LINE_OPTIONS)
            print_item(json_string_value(item));
        else if (kind == LINE_DEVICES)
            printf("  %s: %s\n", json_str_or(item, "Source", ""), json_str_or(item, "ID", ""));
        else if (kind == LINE_POOLS)
            printf("   Base: %s, Size: %lld\n", json_str_or(item, "Base", ""),
                   (long long)json_int_or(item, "Size", 0));
        else
            printf("  %s\n", json_string_value(item) ? json_string_value(item) : "");
    }
}

static void print_info_line(enum line_kind kind, const char *title, const json_t *value)
{
    char size[SIZE_TEXT];
    const json_t *pair;
    size_t i;

    switch (kind) {
    case LINE_EMPTY:
        printf("%s: %s\n", title, json_string_value(value) ? json_string_value(value) : "");
        break;
    case LINE_TEXT:
        if (!str_empty(json_string_value(value)))
            printf("%s: %s\n", title, json_string_value(value));
        break;
    case LINE_NUMBER:
        printf("%s: %lld\n", title, (long long)json_integer_value(value));
        break;
    case LINE_FLAG:
        printf("%s: %s\n", title, json_is_true(value) ? "true" : "false");
        break;
    case LINE_BYTES:
        printf("%s: %s\n", title, human_bytes((double)json_integer_value(value), size));
        break;
    case LINE_LIST:
    case LINE_KEYS:
        print_list_line(title, value, kind == LINE_KEYS);
        break;
    case LINE_LINES:
    case LINE_OPTIONS:
    case LINE_DEVICES:
    case LINE_POOLS:
        print_elements(kind, title, value);
        break;
    case LINE_REGISTRIES:
        print_registries(title, value);
        break;
    case LINE_PAIRS:
        json_array_foreach (value, i, pair)
            printf("%s%s: %s\n", title, json_string_value(json_array_get(pair, 0)),
                   json_string_value(json_array_get(pair, 1)));
        break;
    }
}

static json_t *client_info(struct cli *cli)
{
    return json_pack("{s:s, s:s, s:b, s:[], s:n, s:s}", "Version", KEG_VERSION, "Context",
                     context_current(cli, NULL), "Debug", 0, "Plugins", "Warnings", "Host",
                     cli->endpoint->host);
}

static int info_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_json_ json_t *info = NULL;
    const char *format = args_str(args, "format");
    const json_t *warning;
    size_t i;

    url_path(&url, "/info", NULL);
    if (!endpoint_get(cli, err))
        return -1;
    if (!*format)
        printf("Client:\n Version:    " KEG_VERSION
               "\n Context:    %s\n Host:       %s\n Debug Mode: %s\n\nServer:\n",
               context_current(cli, NULL), cli->endpoint->host,
               args_bool(cli->global, "debug") ? "true" : "false");
    info = client_get(cli, &url, err);
    if (!info)
        return -1;
    if (*format) {
        json_object_set_new(info, "ClientInfo", client_info(cli));
        return format_object(info, "", format, "system.dockerInfo", err);
    }
    for (i = 0; i < ARRAY_SIZE(info_lines); i++) {
        const json_t *when = info_lines[i].when ? json_at(info, info_lines[i].when) : json_true();

        if (str_eq(info_lines[i].path, "Plugins.Volume"))
            puts(" Plugins:");
        if (json_is_true(when) || !str_empty(json_string_value(when)))
            print_info_line(info_lines[i].kind, info_lines[i].title, json_at(info, info_lines[i].path));
    }
    putchar('\n');
    fflush(stdout);
    json_array_foreach (json_object_get(info, "Warnings"), i, warning)
        fprintf(stderr, "%s\n", json_string_value(warning));
    return 0;
}

const struct command cmd_info = {
    .paths = "system info,info",
    .summary = "Show what the engine is and has",
    .arguments = "[OPTIONS]",
    .flags = COMMAND_COMMON,
    .options = {format_options},
    .run = info_run,
};

/* ---- version ---- */

static void print_detail(const char *title, const char *value)
{
    if (!str_empty(value))
        printf("  %-17s %s\n", title, value);
}

/* Of another component: whatever it tells. */
static void print_details(const json_t *details)
{
    _cleanup_strv_ char **keys = sorted_keys(details, /* insecure= */ false);

    for (char **key = keys; key && *key; key++) {
        _cleanup_free_ char *title = xasprintf("%s:", *key);

        printf("  %-17s %s\n", title, json_str_or(details, *key, ""));
    }
}

/* "2026-09-15T11:02:57.000000000+00:00" → "Tue Sep 15 11:02:57 2026"; anything else as it is. The caller frees. */
static char *built_text(const char *time)
{
    struct tm parts = {0};
    char text[64];

    if (!time || !strptime(time, "%Y-%m-%dT%H:%M:%S", &parts))
        return xstrdup(time);
    strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &parts);
    return xstrdup(text);
}

static void print_component(const json_t *component)
{
    const json_t *details = json_object_get(component, "Details");
    const char *minimum = json_str(details, "MinAPIVersion"), *api = json_str(details, "ApiVersion");
    _cleanup_free_ char *api_text =
        api ? xasprintf("%s (minimum version %s)", api, minimum ? minimum : "?") : NULL;
    _cleanup_free_ char *built = NULL, *platform = xasprintf("%s/%s", json_str_or(details, "Os", ""),
                                                             json_str_or(details, "Arch", ""));

    printf(" %s:\n", json_str_or(component, "Name", ""));
    print_detail("Version:", json_str(component, "Version"));
    if (!str_eq(json_str(component, "Name"), "Engine")) {
        print_details(details);
        return;
    }
    built = built_text(json_str(details, "BuildTime"));
    print_detail("API version:", api_text);
    print_detail("Go version:", json_str(details, "GoVersion"));
    print_detail("Git commit:", json_str(details, "GitCommit"));
    print_detail("Built:", built);
    print_detail("OS/Arch:", json_str(details, "Os") ? platform : NULL);
    print_detail("Experimental:", json_str(details, "Experimental"));
}

static json_t *client_version(void)
{
    struct utsname name;

    uname(&name);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "Version", KEG_VERSION, "ApiVersion",
                     CLIENT_API_VERSION, "DefaultAPIVersion", CLIENT_API_VERSION, "Os", "linux", "Arch",
                     str_eq(name.machine, "x86_64")    ? "amd64"
                     : str_eq(name.machine, "aarch64") ? "arm64"
                                                       : name.machine,
                     "Context", "default");
}

static int version_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_json_ json_t *server = NULL, *client = client_version(), *both = NULL;
    const char *format = args_str(args, "format"), *platform;
    const json_t *component;
    size_t i;
    int r;

    if (!*format) {
        printf("Client: keg\n Version:           %s\n API version:       %s\n OS/Arch:           %s/%s\n",
               json_str(client, "Version"), json_str(client, "ApiVersion"), json_str(client, "Os"),
               json_str(client, "Arch"));
        fflush(stdout);
    }
    url_path(&url, "/version", NULL);
    server = client_get(cli, &url, err);
    if (*format) {
        struct err ignored;

        if (!str_eq(format, "json") && !strstr(format, "json ")) {
            json_set_str(client, "APIVersion",
                         json_str(client, "ApiVersion")); /* the field's name in templates */
            if (server)
                json_set_str(server, "APIVersion", json_str_or(server, "ApiVersion", ""));
        }
        both = json_pack("{s:O, s:O?}", "Client", client, "Server", server);
        r = format_object(both, "version", format, "system.versionInfo", server ? err : &ignored);
        return r || server ? r : -1;
    }
    if (!server)
        return -1;
    platform = json_str_or(json_object_get(server, "Platform"), "Name", "");
    printf("\nServer:%s%s\n", *platform ? " " : "", platform);
    json_array_foreach (json_object_get(server, "Components"), i, component)
        print_component(component);
    return 0;
}

const struct command cmd_version = {
    .paths = "version",
    .summary = "Show the versions of client and daemon",
    .arguments = "[OPTIONS]",
    .flags = COMMAND_COMMON,
    .options = {format_options},
    .run = version_run,
};
