/* kegd: the daemon. */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "daemon/daemon.h"
#include "daemon/manual.h"

int main(int argc, char **argv)
{
    _cleanup_config_ struct config config;
    struct err err = {0};

    if (argc == 3 && str_eq(argv[1], "__manual")) {
        if (manual_write(argv[2], &err) == 0)
            return 0;
        fprintf(stderr, "kegd: %s\n", err.message);
        return 1;
    }
    config_init(&config);
    if (config_load(&config, argc, argv, &err) < 0 ||
        (!config.help && !config.version && daemon_check(&config, &err) < 0)) {
        fprintf(stderr, "kegd: %s\n", err.message);
        return 1;
    }
    if (config.help) {
        _cleanup_free_ char *help = config_help();

        fputs(help, stdout);
    } else if (config.version) {
        puts("kegd version " KEG_VERSION);
    } else if (config.validate) {
        fputs("configuration OK\n", stderr);
    } else if (daemon_run(&config, argc, argv, &err) < 0) {
        log_write(LOG_LEVEL_FATAL, "failed to start daemon: %s", err.message);
        return 1;
    }
    return 0;
}
