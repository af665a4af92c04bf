/* Runs a command and prints the peak memory (RSS, kB) of the largest of its processes that were waited for. A program of
 * its own, because a child's peak begins with that of the process it was cloned from. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct rusage usage;
    int status;
    pid_t pid;

    if (argc < 2)
        return 2;
    pid = vfork();
    if (pid == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO); /* ours is for the figure */
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || getrusage(RUSAGE_CHILDREN, &usage) < 0)
        return 1;
    printf("%ld\n", usage.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
