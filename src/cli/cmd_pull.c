/* keg pull, keg push. */
#include <stdio.h>

#include "base/str.h"
#include "cli/client.h"
#include "cli/credentials.h"
#include "cli/progress.h"
#include "cli/pull.h"
#include "cli/reference.h"

static const struct option_row pull_options[] = {
    {"all-tags", 'a', OPTION_BOOL, "Pull all tags of the repository"},
    {"disable-content-trust", 0, OPTION_BOOL, "Accepted for compatibility", "true", true},
    {"platform", 0, OPTION_STRING, "Platform of the image (os/arch)"},
    {"quiet", 'q', OPTION_BOOL, "Print only the image's name"},
    {NULL},
};

int pull_announce(const char *image, struct err *err)
{
    _cleanup_(reference_finish) struct reference ref = {0};
    _cleanup_free_ char *name = NULL;

    if (reference_parse(image, &ref, err) < 0)
        return -1;
    if (!ref.tag && !ref.digest)
        ref.tag = xstrdup("latest");
    name = reference_familiar(&ref);
    fprintf(stderr, "Unable to find image '%s' locally\n", name);
    return 0;
}

static int pull_reference(struct cli *cli, const struct pull_wish *wish, const struct reference *ref,
                          struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_free_ char *name = reference_name(ref), *header = credentials_header(cli, ref->domain);
    struct client_request request = {.method = "POST", .url = &url, .headers = header};
    struct http *http;
    int r;

    url_path(&url, "/images/create", NULL);
    url_add(&url, "fromImage", name);
    url_add(&url, "tag", wish->all_tags ? NULL : ref->digest ? ref->digest : ref->tag);
    url_add(&url, "platform", wish->platform);
    http = client_open(cli, &request, err);
    if (!http)
        return -1;
    r = progress_show(http, wish->out, wish->quiet, err);
    client_end(cli, http);
    return r;
}

int pull_image(struct cli *cli, const struct pull_wish *wish, struct err *err)
{
    _cleanup_(reference_finish) struct reference ref = {0};

    if (reference_parse(wish->image, &ref, err) < 0)
        return -1;
    if (wish->all_tags && (ref.tag || ref.digest))
        return err_set(err, ERR_INVALID, "tag can't be used with --all-tags/-a");
    if (!wish->all_tags && !ref.tag && !ref.digest) {
        ref.tag = xstrdup("latest");
        if (!wish->quiet)
            fputs("Using default tag: latest\n", wish->out);
    }
    return pull_reference(cli, wish, &ref, err);
}

int pull_for_create(struct cli *cli, const struct args *args, const char *image, struct err *err)
{
    _cleanup_(reference_finish) struct reference ref = {0};
    struct pull_wish wish = {.image = image,
                             .platform = args_str(args, "platform"),
                             .quiet = args_bool(args, "quiet"),
                             .out = stderr};

    if (reference_parse(image, &ref, err) < 0)
        return -1;
    if (!ref.tag && !ref.digest)
        ref.tag = xstrdup("latest");
    return pull_reference(cli, &wish, &ref, err);
}

static int pull_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(reference_finish) struct reference ref = {0};
    _cleanup_free_ char *name = NULL;
    struct pull_wish wish = {.image = args->rest[0],
                             .platform = args_str(args, "platform"),
                             .all_tags = args_bool(args, "all-tags"),
                             .quiet = args_bool(args, "quiet"),
                             .out = stdout};

    if (pull_image(cli, &wish, err) < 0 || reference_parse(wish.image, &ref, err) < 0)
        return -1;
    if (!ref.tag && !ref.digest && !wish.all_tags)
        ref.tag = xstrdup("latest");
    name = reference_name(&ref);
    printf("%s%s%s%s%s\n", name, ref.tag ? ":" : "", ref.tag ? ref.tag : "", ref.digest ? "@" : "",
           ref.digest ? ref.digest : "");
    return 0;
}

const struct command cmd_pull = {
    .paths = "image pull,pull",
    .summary = "Download an image from a registry",
    .arguments = "[OPTIONS] NAME[:TAG|@DIGEST]",
    .min_arguments = 1,
    .max_arguments = 1,
    .flags = COMMAND_COMMON,
    .options = {pull_options},
    .run = pull_run,
};

static const struct option_row push_options[] = {
    {"all-tags", 'a', OPTION_BOOL, "Push all tags of the repository"},
    {"disable-content-trust", 0, OPTION_BOOL, "Accepted for compatibility", "true", true},
    {"platform", 0, OPTION_STRING, "Push only if the image is of this platform (os/arch)"},
    {"quiet", 'q', OPTION_BOOL, "Print only the image's name"},
    {NULL},
};

static int push_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_(reference_finish) struct reference ref = {0};
    _cleanup_free_ char *name = NULL, *header = NULL;
    struct client_request request = {.method = "POST", .url = &url};
    struct http *http;
    int r;

    if (reference_parse(args->rest[0], &ref, err) < 0)
        return -1;
    if (ref.digest)
        return err_set(err, ERR_INVALID, "cannot push a digest reference");
    if (ref.tag && args_bool(args, "all-tags"))
        return err_set(err, ERR_INVALID, "tag can't be used with --all-tags/-a");
    if (platform_check(args_str(args, "platform"), err) < 0)
        return err_wrap(err, "Invalid platform");
    if (!ref.tag && !args_bool(args, "all-tags")) {
        ref.tag = xstrdup("latest");
        if (!args_bool(args, "quiet"))
            puts("Using default tag: latest");
    }
    name = reference_name(&ref);
    request.headers = header = credentials_header(cli, ref.domain);
    url_path(&url, "/images/", name, "/push", NULL);
    url_add(&url, "tag", ref.tag);
    if (url_add_platform(&url, "platform", args_str(args, "platform"), err) < 0)
        return -1;
    http = client_open(cli, &request, err);
    if (!http)
        return -1;
    r = progress_show(http, stdout, args_bool(args, "quiet"), err);
    client_end(cli, http);
    if (r == 0 && args_bool(args, "quiet"))
        printf("%s%s%s\n", name, ref.tag ? ":" : "", ref.tag ? ref.tag : "");
    return r;
}

const struct command cmd_push = {
    .paths = "image push,push",
    .summary = "Upload an image to a registry",
    .arguments = "[OPTIONS] NAME[:TAG]",
    .min_arguments = 1,
    .max_arguments = 1,
    .flags = COMMAND_COMMON,
    .options = {push_options},
    .run = push_run,
};
