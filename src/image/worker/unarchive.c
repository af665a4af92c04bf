/* The container of docker load's archives is read here, where nothing can come of it: nobody's rights, no
 * files but the descriptors given, a handful of system calls. */
#include "image/worker/unarchive.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "image/archive_protocol.h"
#include "image/worker/expand.h"
#include "image/worker/packets.h"
#include "image/worker/privileges.h"
#include "storage/worker/source.h"
#include "tar/reader.h"

struct archive {
    int sock;
    struct tar_reader *reader;
};

static bool printable(const char *name)
{
    _cleanup_json_ json_t *text = json_string(name); /* NULL: no UTF-8 */

    if (!text)
        return false;
    for (; *name; name++)
        if ((unsigned char)*name < 0x20 || *name == 0x7f)
            return false;
    return true;
}

char *unarchive_name(const char *name, const char *of, struct err *err)
{
    const char *slash = of ? strrchr(of, '/') : NULL;
    _cleanup_free_ char *joined =
        slash ? xasprintf("%.*s/%s", (int)(slash - of), of, name) : xasprintf("./%s", name);
    _cleanup_free_ char *clean = path_clean(joined);

    if (strlen(joined) > ARCHIVE_NAME_MAX || !printable(joined)) {
        err_set(err, ERR_INVALID, "invalid archive: a name is too long or not printable");
        return NULL;
    }
    if (path_is_absolute(name) || path_is_absolute(clean) || str_eq(clean, "..") ||
        str_starts(clean, "../")) {
        err_set(err, ERR_INVALID, "invalid archive: the name %s leads out of it", name);
        return NULL;
    }
    return take_ptr(&clean);
}

static int send_packet(struct archive *a, json_t *packet, struct err *err)
{
    int r = packet_send(a->sock, packet);

    return r < 0 ? err_errno(err, r, "speak to kegd") : 0;
}

/* kegd's word on a file: where its bytes go, or nowhere (-EBADF), and where to tell of them (-EBADF: nobody asks). */
static int receive_verdict(struct archive *a, int *ret, int *ret_news, struct err *err)
{
    char data[256];
    int fds[2];
    size_t nfds = 0;
    ssize_t n = fd_receive_message(a->sock, data, sizeof(data), fds, 2, &nfds);

    if (n <= 0)
        return err_set(err, ERR_CANCELLED, "kegd has gone");
    *ret = nfds > 0 ? fds[0] : -EBADF;
    *ret_news = nfds > 1 ? fds[1] : -EBADF;
    return 0;
}

/* A byte for who reads the file while it grows; one who has gone, or has enough to read, needs none. */
static void tell_news(int news)
{
    ssize_t ignored _unused_ = news < 0 ? 0 : write(news, "", 1);
}

static int copy_file(struct archive *a, int fd, int news, struct err *err)
{
    _cleanup_(sha256_free_p) struct sha256 *hash = sha256_new();
    char hex[SHA256_HEX_SIZE];
    const uint8_t *data;
    int64_t offset, size = 0;
    ssize_t n;

    while ((n = tar_reader_data(a->reader, &data, &offset, err)) > 0) {
        int r;

        if (offset != size)
            return err_set(err, ERR_INVALID,
                           "invalid archive: sparse files don't belong into image archives");
        r = fd_write_full(fd, data, (size_t)n);
        if (r < 0)
            return err_errno(err, r, "write to the blob store");
        sha256_update(hash, data, (size_t)n);
        size += n;
        tell_news(news);
    }
    if (n < 0)
        return -1;
    sha256_hex(hash, hex);
    return send_packet(
        a, json_pack("{s:{s:s+, s:I}}", "done", "digest", "sha256:", hex, "size", (json_int_t)size), err);
}

static int pass_file(struct archive *a, const char *name, int64_t size, struct err *err)
{
    json_t *packet =
        json_pack("{s:{s:s, s:s, s:I}}", "entry", "name", name, "type", "file", "size", (json_int_t)size);
    _cleanup_close_ int fd = -EBADF, news = -EBADF;

    if (send_packet(a, packet, err) < 0 || receive_verdict(a, &fd, &news, err) < 0)
        return -1;
    return fd < 0 ? 0 : copy_file(a, fd, news, err);
}

static int pass_entry(struct archive *a, const struct tar_entry *entry, struct err *err)
{
    bool is_link = entry->type == TAR_SYMLINK || entry->type == TAR_HARDLINK;
    _cleanup_free_ char *name = NULL, *target = NULL;

    if (entry->type != TAR_FILE && !is_link)
        return 0;
    name = unarchive_name(entry->path, NULL, err);
    if (!name)
        return -1;
    if (!is_link)
        return pass_file(a, name, entry->size, err);
    target = unarchive_name(entry->link, entry->type == TAR_SYMLINK ? name : NULL, err);
    if (!target)
        return -1;
    return send_packet(
        a, json_pack("{s:{s:s, s:s, s:s}}", "entry", "name", name, "type", "link", "target", target), err);
}

static int pass_entries(struct archive *a, struct err *err)
{
    const struct tar_entry *entry;
    int r;

    while ((r = tar_reader_next(a->reader, &entry, err)) > 0)
        if (pass_entry(a, entry, err) < 0)
            return -1;
    return r < 0 ? -1 : tar_reader_drain(a->reader, err);
}

int unarchive(int input, int sock, pid_t parent)
{
    struct archive a = {.sock = sock};
    struct worker_shared shared = {0};
    struct source_spec spec = {.input = input,
                               .blob_out = -EBADF,
                               .max_bytes = EXPAND_BYTES_MAX,
                               .max_ratio = EXPAND_RATIO_MAX,
                               .shared = &shared,
                               .no_digests = true}; /* each file has its own */
    struct err err = {0};
    struct source *source;
    struct tar_input bytes;

    signal(SIGPIPE, SIG_IGN);
    if (privileges_drop(parent, &err) < 0 || !(source = source_new(&spec, &err)) ||
        privileges_confine(&err) < 0)
        goto failed;
    source_start(source);
    bytes = source_input(source);
    a.reader = tar_reader_new(&bytes);
    if (pass_entries(&a, &err) < 0)
        goto failed;
    return send_packet(&a, json_pack("{s:{}}", "end"), &err) < 0;
failed:
    send_packet(&a, json_from_err(&err), NULL);
    return 1;
}
