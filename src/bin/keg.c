/* keg: the command line. */
#include "cli/command.h"

int main(int argc, char **argv)
{
    return keg_main(argc, argv);
}
