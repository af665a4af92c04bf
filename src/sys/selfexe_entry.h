/* See selfexe_entry.c, whose only user is the linker. */
#ifndef KEG_SYS_SELFEXE_ENTRY_H
#define KEG_SYS_SELFEXE_ENTRY_H

/* keg-runtime's commands that make processes for a container: words separated by NUL. To add one: here, and nowhere else. */
#define SELFEXE_CLONING_COMMANDS "create\0run\0exec\0"

void selfexe_early(const long *stack);

#endif
