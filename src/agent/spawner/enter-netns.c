/*
 * Turns a process into tcpdump: enters the Pod's network, drops all privileges but NET_RAW, and executes the program.
 * One program does all of it, because each program of a chain would cost a start of its own
 * (docs/decisions/0019-one-program-enters-the-network-and-starts-tcpdump.md).
 */
#define _GNU_SOURCE
#include "enter-netns.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Not exit(): it would flush and clean up what belongs to the process that this one was forked from. */
_Noreturn void fail(const char *what)
{
	dprintf(STDERR_FILENO, "podcap-spawner: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void enter_network(const char *netns)
{
	int fd = open(netns, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		fail(netns);
}

/* In the order of capabilities(7): the bounding set needs SETPCAP, the ambient set needs the other sets. */
static void become(int user)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	/* Two elements of 32 bits; NET_RAW is in the first. */
	struct __user_cap_data_struct only_net_raw[2] = {{
		.effective = 1u << CAP_NET_RAW,
		.permitted = 1u << CAP_NET_RAW,
		.inheritable = 1u << CAP_NET_RAW,
	}};

	/* The kernel's capabilities have no gaps: the first unknown number ends them. */
	for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability += 1)
		if (capability != CAP_NET_RAW && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
			fail("bounding set");
	if (setgroups(0, NULL) < 0)
		fail("groups");
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setresgid(user, user, user) < 0 ||
	    setresuid(user, user, user) < 0)
		fail("user");
	if (syscall(SYS_capset, &header, only_net_raw) < 0)
		fail("capabilities");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) < 0)
		fail("ambient set");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail("no new privileges");
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
	become(entry->user);
	/* After the change of user, which would undo it. */
	end_with(entry->parent, SIGTERM);
	/* The dynamic loader only warns of a missing library. */
	if (access(entry->library, R_OK) < 0 || setenv("LD_PRELOAD", entry->library, 1) < 0)
		fail(entry->library);
	execvp(entry->argv[0], entry->argv);
	fail(entry->argv[0]);
}
