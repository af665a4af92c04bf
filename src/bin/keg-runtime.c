/* keg-runtime: OCI bundles on the command line. */
#include "runtime/command/command.h"

int main(int argc, char **argv)
{
    return command_main(argc, argv);
}
