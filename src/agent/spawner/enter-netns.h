#ifndef PODCAP_ENTER_NETNS_H
#define PODCAP_ENTER_NETNS_H

#include <sys/types.h>

struct entry {
	/* Path of a network namespace. */
	const char *netns;
	/* Number of the user, and of the group, that the program runs as. */
	int user;
	/* Path of the library that is preloaded into the program. */
	const char *library;
	/* When this process dies, the program gets this signal. */
	pid_t parent;
	int end_signal;
	/* The program, which is searched in PATH, and its arguments; NULL after the last. */
	char **argv;
};

/* Has the kernel send this signal to the process when its parent dies; fails when that has died already. */
void end_with(pid_t parent, int signal);

/*
 * Replaces the calling process by the program, exactly as the entry has it or not at all: any failure is printed on
 * standard error, and the process ends with exit code 1.
 */
_Noreturn void enter(const struct entry *entry);

#endif
