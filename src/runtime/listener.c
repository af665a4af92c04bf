/* seccomp's user notification: the descriptor and the state go to the agent that listens on listenerPath. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "runtime/internal.h"

int listener_deliver(const struct runtime_container *c, pid_t pid, int listener, struct err *err)
{
    const char *path = json_str(c->spec->seccomp, "listenerPath");
    _cleanup_json_ json_t *message = NULL;
    _cleanup_close_ int socket = -EBADF;
    _cleanup_free_ char *text = NULL;
    int result;

    if (!path || listener < 0)
        return err_set(err, ERR_INVALID, "linux.seccomp: SCMP_ACT_NOTIFY needs a listenerPath");
    message = json_pack("{s:s, s:[s], s:i, s:s, s:o}", "ociVersion", "1.3.0", "fds", "seccompFd", "pid",
                        (int)pid, "metadata", json_str_or(c->spec->seccomp, "listenerMetadata", ""), "state",
                        state_json(c, "creating"));
    text = json_text(message);
    socket = unix_connect(path, SOCK_STREAM);
    result = socket < 0 ? socket : fd_send_message(socket, text, strlen(text), &listener, 1);
    return result < 0 ? err_errno(err, result, "failed to connect with seccomp agent %s", path) : 0;
}
