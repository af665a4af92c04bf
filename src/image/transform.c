/* One run of a keg-archive worker: a blob in, a new one out. */
#include "image/transform.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "image/archive_protocol.h"
#include "image/store_internal.h"
#include "image/worker_process.h"

/* The worker's last word, or NULL. */
static json_t *run_worker(struct image_store *store, const char *verb, int input, int output, struct err *err)
{
    static const char take[] = "{\"take\":true}";
    int sock = -EBADF, r;
    pid_t worker = worker_process_spawn_verb(store->worker_dir, "keg-archive", verb, input, &sock, err);
    char data[ARCHIVE_PACKET_MAX];
    json_t *json = NULL;
    ssize_t n;

    if (worker < 0)
        return NULL;
    r = fd_send_message(sock, take, strlen(take), &output, 1);
    n = r < 0 ? r : fd_receive_message(sock, data, sizeof(data), NULL, 0, NULL);
    if (n > 0)
        json = json_parse(data, (size_t)n, "keg-archive's packet", err);
    else
        err_set(err, ERR_SYSTEM, "keg-archive ended unexpectedly");
    close_fd(&sock);
    worker_process_end(worker);
    return json;
}

int image_transform_blob(struct image_store *store, struct image_lease *lease, const char *verb,
                         const char *digest, struct descriptor *ret, struct err *err)
{
    _cleanup_close_ int input = blobs_get(store->blobs, digest, NULL, err), output = -EBADF;
    _cleanup_json_ json_t *json = NULL;
    const json_t *done;
    const char *made, *read;

    if (input < 0 || (output = blobs_scratch(store->blobs, err)) < 0)
        return -1;
    json = run_worker(store, verb, input, output, err);
    if (!json || json_take_err(json, err) < 0)
        return -1;
    done = json_object_get(json, "done");
    made = json_str(done, "digest");
    read = json_str(done, "plain");
    if (!digest_valid(made))
        return err_set(err, ERR_SYSTEM, "keg-archive sent nonsense");
    if (read && !str_eq(read, digest))
        return err_set(err, ERR_INVALID, "layer %s is damaged: its bytes hash to %s", digest, read);
    memcpy(ret->digest, made, DIGEST_SIZE);
    ret->size = json_int_or(done, "size", -1);
    image_lease_add(lease, made);
    return blobs_adopt(store->blobs, output, made, ret->size, /* sync= */ true, err);
}
