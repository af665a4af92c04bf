/* hosts.toml, to the endpoints that a registry is asked at. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "image/worker/client_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char place[] = "/dev/shm/keg-fuzz-hosts.XXXXXX"; /* holds "d/hosts.toml" */
static int dir = -EBADF;

static void clean_up(void)
{
    unlinkat(dir, "hosts.toml", 0);
    if (chdir(place) == 0)
        rmdir("d");
    rmdir(place);
}

static void set_up(void)
{
    if (!mkdtemp(place) || chdir(place) < 0 || mkdir("d", 0700) < 0)
        abort();
    dir = open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    atexit(clean_up);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_json_ json_t *packet = NULL;
    _cleanup_close_ int fd = -EBADF;
    struct client *c;

    if (dir < 0)
        set_up();
    fd = openat(dir, "hosts.toml", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || fd_write_full(fd, data, size) < 0)
        abort();
    packet =
        json_pack("{s:s, s:s, s:s, s:s}", "op", "open", "domain", "d", "path", "p", "certificates", place);
    c = client_new(packet, NULL);
    if (!c)
        return 0;
    if (c->n_endpoints < 1 || c->n_endpoints > ENDPOINTS_MAX)
        abort();
    for (size_t i = 0; i < c->n_endpoints; i++)
        for (char **h = c->endpoints[i].headers; h && *h; h++)
            if (strpbrk(*h, "\r\n"))
                abort(); /* a header of its own */
    client_free(c);
    return 0;
}
