/* Packets between keg-archive and kegd. */
#include "image/worker/packets.h"

#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"

int packet_send(int sock, json_t *packet)
{
    _cleanup_free_ char *text = json_text(packet);

    json_decref(packet);
    return text ? fd_send_message(sock, text, strlen(text), NULL, 0) : -EINVAL;
}

int packet_receive_fd(int sock, struct err *err)
{
    char data[256];
    int fd = -EBADF;
    size_t n = 0;

    if (fd_receive_message(sock, data, sizeof(data), &fd, 1, &n) <= 0 || n == 0)
        return err_set(err, ERR_CANCELLED, "kegd has gone");
    return fd;
}
