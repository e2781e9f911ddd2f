#include <sys/types.h>

struct entry {
	/* Path of a network namespace. */
	const char *netns;
	/* Number of the user, and of the group, that the program runs as. */
	int user;
	/* Path of what is preloaded into the program. */
	const char *library;
	/* When that process dies, the program is told to end. */
	pid_t parent;
	/* Of the program, which is looked for in PATH; NULL after the last. */
	char **argv;
};

/* Says what failed, and errno's why, on standard error, and ends the process with exit code 1. */
_Noreturn void fail(const char *what);

/* Has the kernel send that signal when the parent dies; fails when it has died already. */
void end_with(pid_t parent, int signal);

/*
 * Runs the program in place of the calling process, as asked or not at all: whatever fails is said on standard error,
 * and the process ends with exit code 1.
 */
_Noreturn void enter(const struct entry *entry);
