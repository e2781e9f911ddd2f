/*
 * Turns a process into tcpdump: enters the Pod's network, drops all privileges but NET_RAW, and executes the program.
 * One program does all of it, because each program of a chain would cost a start of its own
 * (docs/decisions/0019-one-program-enters-the-network-and-starts-tcpdump.md).
 */
#define _GNU_SOURCE
#include "enter-netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "drop-privileges.h"
#include "fail.h"

static void enter_network(const char *netns)
{
	int fd = open(netns, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		fail(netns);
}

void end_with(pid_t parent, int signal)
{
	if (prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) < 0)
		fail("parent");
	/* The parent may have died before the call. */
	if (getppid() != parent) {
		errno = ESRCH;
		fail("parent");
	}
}

_Noreturn void enter(const struct entry *entry)
{
	enter_network(entry->netns);
	drop_privileges(entry->user);
	/* After the change of user, which would undo it. */
	end_with(entry->parent, entry->end_signal);
	/* The dynamic loader only warns of a missing library. */
	if (access(entry->library, R_OK) < 0 || setenv("LD_PRELOAD", entry->library, 1) < 0)
		fail(entry->library);
	execvp(entry->argv[0], entry->argv);
	fail(entry->argv[0]);
}
