/* keg-registry: the registry client, apart from kegd because libcurl brings many libraries and hostile bytes.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "image/registry_protocol.h"
#include "image/worker/serve.h"

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("keg-registry " KEG_VERSION);
        return 0;
    }
    /* _exit: requests may still run, and nothing here outlives the process */
    _exit(serve_registry(WORKER_SOCKET_FD, argc > 1 ? 0 : getppid()));
}
