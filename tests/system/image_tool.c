/* image-tool: the image library from the command line, for tests without kegd.
 *
 *     image-tool DATA WORKERS pull REFERENCE [USER:PASSWORD]     progress as JSON lines, then the image
 *     image-tool DATA WORKERS pulls REFERENCE…                   all at once, from threads; prints the images
 *     image-tool DATA WORKERS load|import [NAME] <ARCHIVE
 *     image-tool DATA WORKERS save MANIFEST-DIGEST [TAG…] >ARCHIVE
 *     image-tool DATA WORKERS push REFERENCE MANIFEST-DIGEST
 *     image-tool DATA WORKERS login SERVER USER:PASSWORD
 *     image-tool DATA WORKERS inspect|history MANIFEST-DIGEST
 *     image-tool DATA WORKERS sweep [DIGEST…]                    removes all but these
 * INSECURE and MIRRORS (comma-separated) and STALL (seconds) come from the environment. Errors go to stderr as
 * "KIND: MESSAGE". */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "image/archive.h"
#include "image/inspect.h"
#include "image/pull.h"
#include "image/push.h"
#include "storage/storage.h"

struct tool {
    struct image_store *store;
    struct image_lease *lease;
    char **args;
};

static void print_json(json_t *json)
{
    _cleanup_free_ char *text = json_text(json);

    puts(text);
    fflush(stdout);
    json_decref(json);
}

static void print_image(struct image *image)
{
    json_t *json = json_object();

    json_set_str(json, "id", image->id);
    json_set_str(json, "manifest", image->manifest);
    json_set_str(json, "index", image->index);
    json_object_set_new(json, "tags", json_from_strv(image->tags));
    json_object_set_new(json, "digests", json_from_strv(image->repo_digests));
    json_object_set_new(json, "blobs", json_from_strv(image->blobs));
    json_object_set_new(json, "layers", json_from_strv(image->layers));
    json_set_int(json, "size", image->size);
    print_json(json);
    image_finish(image);
}

static int on_progress(void *arg _unused_, const struct image_progress *progress)
{
    print_json(image_progress_json(progress));
    return ferror(stdout) ? -1 : 0;
}

/* The reader of our output has closed it. */
static bool on_wait(void *arg _unused_)
{
    struct pollfd p = {.fd = STDOUT_FILENO};

    return poll(&p, 1, 0) > 0 && (p.revents & POLLERR);
}

static const struct image_listener listener = {on_progress, on_wait, NULL};

static struct registry_auth credentials(char *pair)
{
    char *colon = pair ? strchr(pair, ':') : NULL;

    if (!colon)
        return (struct registry_auth){0};
    *colon = '\0';
    if (str_eq(pair, "token"))
        return (struct registry_auth){.identity_token = colon + 1};
    return (struct registry_auth){.username = pair, .password = colon + 1};
}

static int tool_pull(struct tool *t, struct err *err)
{
    _cleanup_reference_ struct reference ref = {0};
    struct registry_auth auth = {0};
    struct image_pull_options options = {.reference = &ref, .listener = &listener, .auth = &auth};
    struct image image = {0};

    if (!t->args[0] || reference_parse_tagged(t->args[0], &ref, err) < 0)
        return -1;
    auth = credentials(t->args[1]);
    if (image_pull(t->store, t->lease, &options, &image, err) < 0)
        return -1;
    print_image(&image);
    return 0;
}

struct one_pull {
    struct tool *tool;
    char *text;
    struct image image;
    struct err err;
    int result;
};

static void *run_pull(void *arg)
{
    struct one_pull *p = arg;
    _cleanup_reference_ struct reference ref = {0};
    struct image_pull_options options = {.reference = &ref};
    struct image_lease *lease = image_lease_new(p->tool->store);

    p->result = reference_parse_tagged(p->text, &ref, &p->err);
    if (p->result == 0)
        p->result = image_pull(p->tool->store, lease, &options, &p->image, &p->err);
    image_lease_free(lease);
    return NULL;
}

static int tool_push(struct tool *t, struct err *err)
{
    _cleanup_reference_ struct reference ref = {0};
    struct image_push_options options = {
        .reference = &ref, .manifest = t->args[1], .listener = &listener, .auth = NULL};
    struct image_pushed pushed;

    if (reference_parse_tagged(t->args[0], &ref, err) < 0 || image_push(t->store, &options, &pushed, err) < 0)
        return -1;
    puts(pushed.digest);
    return 0;
}

static int tool_pulls(struct tool *t, struct err *err)
{
    size_t n = strv_len(t->args);
    struct one_pull *pulls = xcalloc(n + 1, sizeof(*pulls));
    pthread_t *threads = xcalloc(n + 1, sizeof(*threads));
    int r = 0;

    for (size_t i = 0; i < n; i++) {
        pulls[i] = (struct one_pull){.tool = t, .text = t->args[i]};
        pthread_create(&threads[i], NULL, run_pull, &pulls[i]);
    }
    for (size_t i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        if (pulls[i].result == 0)
            print_image(&pulls[i].image);
        else
            r = err_set(err, pulls[i].err.kind, "%s", pulls[i].err.message);
    }
    free(threads);
    free(pulls);
    return r;
}

static int tool_load(struct tool *t, struct err *err)
{
    struct image *images;
    size_t n;

    if (image_load(t->store, t->lease, STDIN_FILENO, NULL, &listener, &images, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        print_image(&images[i]);
    free(images);
    return 0;
}

static int tool_import(struct tool *t, struct err *err)
{
    _cleanup_reference_ struct reference ref = {0};
    struct image_import_options options = {.changes = t->args[0] ? t->args + 1 : NULL};
    struct image image = {0};

    if (t->args[0] && reference_parse_tagged(t->args[0], &ref, err) < 0)
        return -1;
    options.reference = t->args[0] ? &ref : NULL;
    if (image_import(t->store, t->lease, STDIN_FILENO, &options, &image, err) < 0)
        return -1;
    print_image(&image);
    return 0;
}

static int write_stdout(void *arg _unused_, const void *data, size_t len)
{
    return fwrite(data, 1, len, stdout) == len ? 0 : -1;
}

static int tool_save(struct tool *t, struct err *err)
{
    struct image_output output = {write_stdout, NULL};
    struct image_save_item item = {.tags = t->args[0] ? t->args + 1 : NULL};
    int r;

    snprintf(item.manifest, sizeof(item.manifest), "%s", t->args[0] ? t->args[0] : "");
    r = image_save(t->store, &item, 1, &output, err);
    return r < 0 || fflush(stdout) != 0 ? -1 : 0;
}

static int tool_login(struct tool *t, struct err *err)
{
    struct registry_auth auth = t->args[0] ? credentials(t->args[1]) : (struct registry_auth){0};
    _cleanup_free_ char *token = NULL;

    if (image_login(t->store, t->args[0], &auth, &token, err) < 0)
        return -1;
    printf("token: %s\n", token ? token : "none");
    return 0;
}

static int show(struct tool *t, bool history, struct err *err)
{
    _cleanup_image_ struct image image = {0};
    _cleanup_image_config_ struct image_config config = {0};

    if (image_read(t->store, t->args[0], &image, err) < 0 ||
        image_read_config(t->store, image.id, &config, err) < 0)
        return -1;
    print_json(history ? image_history_json(t->store, &config)
                       : image_inspect_json(&image, &config, NULL, NULL));
    return 0;
}

static int tool_inspect(struct tool *t, struct err *err)
{
    return show(t, /* history= */ false, err);
}

static int tool_history(struct tool *t, struct err *err)
{
    return show(t, /* history= */ true, err);
}

static int is_kept(void *arg, enum image_object kind _unused_, const char *digest)
{
    return strv_contains(arg, digest);
}

static void on_removed(void *arg _unused_, enum image_object kind, const char *digest, int64_t size _unused_)
{
    printf("%s %s\n", kind == IMAGE_OBJECT_BLOB ? "blob" : "layer", digest);
}

static int tool_sweep(struct tool *t, struct err *err)
{
    struct image_sweep sweep = {.referenced = is_kept, .removed = on_removed, .arg = t->args};

    return image_store_sweep(t->store, &sweep, err);
}

static const struct {
    const char *verb;
    int (*run)(struct tool *t, struct err *err);
} verbs[] = {
    {"pulls", tool_pulls},     {"pull", tool_pull},   {"load", tool_load},   {"import", tool_import},
    {"push", tool_push},       {"save", tool_save},   {"login", tool_login}, {"inspect", tool_inspect},
    {"history", tool_history}, {"sweep", tool_sweep},
};

static char **from_environment(const char *name)
{
    const char *value = getenv(name);

    return str_empty(value) ? NULL : strv_split(value, ',');
}

static int run(int argc, char **argv, struct err *err)
{
    _cleanup_strv_ char **insecure = from_environment("INSECURE"), **mirrors = from_environment("MIRRORS");
    _cleanup_free_ char *worker = argc > 3 ? xasprintf("%s/keg-layer", argv[2]) : NULL;
    _cleanup_(storage_free_p) struct storage *layers = NULL;
    _cleanup_(image_store_close_p) struct image_store *store = NULL;
    struct image_store_options options = {0};
    struct tool t = {0};
    int r = -1;

    if (argc < 4)
        return err_set(err, ERR_INVALID, "usage: image-tool DATA WORKERS VERB …");
    layers = storage_open(argv[1], NULL, worker, err);
    if (!layers)
        return -1;
    options =
        (struct image_store_options){.data_dir = argv[1],
                                     .layers = layers,
                                     .worker_dir = argv[2],
                                     .insecure_registries = insecure,
                                     .mirrors = mirrors,
                                     .certificates_dir = getenv("CERTS"),
                                     .stall_seconds = getenv("STALL") ? (unsigned)atoi(getenv("STALL")) : 0};
    store = image_store_open(&options, err);
    if (!store)
        return -1;
    t = (struct tool){.store = store, .lease = image_lease_new(store), .args = argv + 4};
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (str_eq(argv[3], verbs[i].verb))
            r = verbs[i].run(&t, err);
    image_lease_free(t.lease);
    return r;
}

int main(int argc, char **argv)
{
    struct err err = {0};

    signal(SIGPIPE, SIG_IGN); /* a reader that has gone cancels */
    if (run(argc, argv, &err) == 0)
        return 0;
    fprintf(stderr, "%s: %s\n", err_kind_name(err.kind), err.message);
    return 1;
}
