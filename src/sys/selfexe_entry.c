/* The entry point of a static program that clones containers: it runs before the C library has started.
 *
 * selfexe_protect() executes the program a second time. The first time would be spent on starting the C library for
 * nothing, which takes longer than all the rest of it (processor features are asked for by instructions that a virtual
 * machine has to emulate). So this looks at the arguments as the kernel has laid them out, and where the command is one
 * that clones, does at once what selfexe_protect() would; in every other case, and if anything fails, it goes on to
 * _start, and selfexe_protect() has another look. Linked by "-Wl,-e,selfexe_entry".
 *
 * No function of the C library may be called here, nor anything that needs relocation, thread-local storage or a stack
 * protector. */
#include <elf.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "sys/selfexe_entry.h"

/* a loop that looks for a NUL must stay one, and not become a call of strlen() */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

#define BARE __attribute__((no_stack_protector, used))

#if defined(__x86_64__)
__asm__(".text\n.globl selfexe_entry\n.type selfexe_entry, @function\n"
        "selfexe_entry:\n"
        "  endbr64\n"
        "  xor %ebp, %ebp\n"
        "  mov %rdx, %r12\n"
        "  mov %rsp, %rdi\n"
        "  call selfexe_early\n"
        "  mov %r12, %rdx\n"
        "  jmp _start\n");

static inline long call(long number, long a, long b, long c, long d, long e)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
__asm__(".text\n.globl selfexe_entry\n.type selfexe_entry, %function\n"
        "selfexe_entry:\n"
        "  mov x29, #0\n"
        "  mov x30, #0\n"
        "  mov x0, sp\n"
        "  bl selfexe_early\n"
        "  mov x0, #0\n"
        "  b _start\n");

static inline long call(long number, long a, long b, long c, long d, long e)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;

    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}
#else
#error "selfexe_entry.c: no entry point for this processor; leave it out of the program (see meson.build)"
#endif

BARE static int starts_with(const char *s, const char *prefix)
{
    for (; *prefix; s++, prefix++)
        if (*s != *prefix)
            return 0;
    return 1;
}

/* Whether s is one of the words, which are separated and ended by NUL, the last by two. */
BARE static int is_one_of(const char *s, const char *words)
{
    while (*words) {
        size_t n = 0;

        while (words[n])
            n++;
        if (starts_with(s, words) && s[n] == '\0')
            return 1;
        words += n + 1;
    }
    return 0;
}

BARE static int wanted(const long *stack)
{
    char *const *argv = (char *const *)(stack + 1);
    char *const *env = argv + stack[0] + 1;
    const long *auxv;
    int clones = 0;

    for (long i = 1; i < stack[0]; i++)
        clones |= is_one_of(argv[i], SELFEXE_CLONING_COMMANDS);
    if (!clones)
        return 0;
    while (*env)
        env++;
    for (auxv = (const long *)(env + 1); auxv[0] != AT_NULL;
         auxv += 2) /* by descriptor: this is the second time */
        if (auxv[0] == AT_EXECFN && starts_with((const char *)auxv[1], "/dev/fd/"))
            return 0;
    return 1;
}

BARE void selfexe_early(const long *stack)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    long fd;

    if (!wanted(stack))
        return;
    fd = call(SYS_open_tree, AT_FDCWD, (long)"/proc/self/exe", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, 0, 0);
    if (fd < 0)
        return;
    if (call(SYS_mount_setattr, fd, (long)"", AT_EMPTY_PATH, (long)&attr, sizeof(attr)) == 0)
        call(SYS_execveat, fd, (long)"", (long)(stack + 1), (long)(stack + 1 + stack[0] + 1), AT_EMPTY_PATH);
    call(SYS_close, fd, 0, 0, 0, 0);
}
