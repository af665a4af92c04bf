/* What isn't there yet says so. */
#include "cli/cli.h"

static int not_yet(_unused_ struct cli *cli, const struct args *args, struct err *err)
{
    return err_set(
        err, ERR_NOT_IMPLEMENTED,
        "keg %s: building images isn't implemented yet; 'keg import' makes one of a filesystem archive, and "
        "'keg load' takes what other builders save",
        args->path);
}

const struct command cmd_build = {
    .paths = "image build,build",
    .summary = "Build an image from a Dockerfile (not yet)",
    .arguments = "[OPTIONS] PATH | URL | -",
    .max_arguments = -1,
    .flags = COMMAND_ALL_ARGUMENTS,
    .run = not_yet,
};

const struct command cmd_buildx = {
    .paths = "buildx,builder",
    .summary = "Build with BuildKit (not yet)",
    .arguments = "COMMAND",
    .max_arguments = -1,
    .flags = COMMAND_ALL_ARGUMENTS | COMMAND_HIDDEN,
    .run = not_yet,
};

static int not_here(_unused_ struct cli *cli, const struct args *args, struct err *err)
{
    return err_set(err, ERR_NOT_IMPLEMENTED, "keg %s: not implemented by keg", args->path);
}

const struct command cmd_elsewhere = {
    .paths = "checkpoint,config,manifest,node,plugin,secret,service,stack,swarm,trust",
    .summary = "What Docker has and keg hasn't",
    .arguments = "COMMAND",
    .max_arguments = -1,
    .flags = COMMAND_ALL_ARGUMENTS | COMMAND_HIDDEN,
    .run = not_here,
};
