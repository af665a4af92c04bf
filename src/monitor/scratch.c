/* The shared buffers. */
#include "monitor/scratch.h"

#include <sys/mman.h>

static char input[SCRATCH_INPUT_SIZE] __attribute__((aligned(4096)));
static char output[SCRATCH_OUTPUT_SIZE] __attribute__((aligned(4096)));
static bool used;

char *scratch_input(void)
{
    used = true;
    return input;
}

char *scratch_output(void)
{
    used = true;
    return output;
}

bool scratch_used(void)
{
    return used;
}

void scratch_release(void)
{
    madvise(input, sizeof(input), MADV_DONTNEED);
    madvise(output, sizeof(output), MADV_DONTNEED);
    used = false;
}
