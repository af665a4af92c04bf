/* keg-archive: reads the archive that docker load is given, apart from kegd because its bytes are hostile; "compress" makes
 * gzip of a layer, "expand" a plain tar of one that is compressed with something else. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "image/registry_protocol.h"
#include "image/worker/compress.h"
#include "image/worker/expand.h"
#include "image/worker/unarchive.h"

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("keg-archive " KEG_VERSION);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "compress") == 0)
        _exit(compress_blob(STDIN_FILENO, WORKER_SOCKET_FD, getppid()));
    if (argc > 1 && strcmp(argv[1], "expand") == 0)
        _exit(expand_blob(STDIN_FILENO, WORKER_SOCKET_FD, getppid()));
    _exit(unarchive(STDIN_FILENO, WORKER_SOCKET_FD, getppid()));
}
