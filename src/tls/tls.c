/* keg-tls' command line: a program for programs. */
#include "tls/tls.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "tls/dial.h"
#include "tls/front.h"

static int usage(void)
{
    fputs("usage: keg-tls dial|serve|check [--ca=FILE] [--cert=FILE] [--key=FILE] [--verify] [--plain] "
          "[--confine] [HOST "
          "PORT]\n"
          "keg and kegd call it; it isn't meant for people.\n",
          stderr);
    return 2;
}

/* One option; whether it is one. */
static bool take_option(struct tls_options *o, const char *text)
{
    const struct {
        const char *name;
        const char **value;
    } files[] = {{"--ca=", &o->ca}, {"--cert=", &o->cert}, {"--key=", &o->key}};

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        const char *value = str_after(text, files[i].name);

        if (value) {
            *files[i].value = value;
            return true;
        }
    }
    o->verify |= str_eq(text, "--verify");
    o->plain |= str_eq(text, "--plain");
    o->confine |= str_eq(text, "--confine");
    return str_eq(text, "--verify") || str_eq(text, "--plain") || str_eq(text, "--confine");
}

int tls_main(int argc, char **argv)
{
    struct tls_options options = {0};
    int i = 2;

    signal(SIGPIPE, SIG_IGN);
    while (i < argc && str_starts(argv[i], "--"))
        if (!take_option(&options, argv[i++]))
            return usage();
    if (argc == i + 2 && str_eq(argv[1], "dial"))
        return dial_run(&options, argv[i], argv[i + 1]);
    if (argc > 1 && argc == i && str_eq(argv[1], "serve"))
        return front_run(&options);
    if (argc > 1 && argc == i && str_eq(argv[1], "check"))
        return front_check_run(&options);
    return usage();
}
