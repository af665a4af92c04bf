/* keg-monitor: one container's guardian. Spawned by kegd only, see monitor/protocol.h. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "monitor/monitor.h"
#include "monitor/protocol.h"

int main(int argc, char **argv)
{
    int type;
    socklen_t len = sizeof(type);

    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("keg-monitor " KEG_VERSION);
        return 0;
    }
    if (getsockopt(MONITOR_CONTROL_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET) {
        fputs("keg-monitor is started by kegd, with its control socket on descriptor 3\n", stderr);
        return 2;
    }
    return monitor_main();
}
