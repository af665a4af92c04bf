/* keg-tls: TLS, for keg and kegd. */
#include "tls/tls.h"

int main(int argc, char **argv)
{
    return tls_main(argc, argv);
}
