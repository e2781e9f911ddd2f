/*
 * Starts tcpdump for a Pod: enters the Pod's network, gives up every right but NET_RAW, and becomes tcpdump.
 *
 *   podcap-enter PARENT NETNS USER LIBRARY PROGRAM [ARGUMENT...]
 *
 *   PARENT    the process that has started it: when that dies, PROGRAM is told to end
 *   NETNS     path of a network namespace
 *   USER      number of the user, and of the group, that PROGRAM runs as
 *   LIBRARY   path of what is preloaded into PROGRAM
 *
 * Whatever fails ends it, with what failed on standard error and exit code 1: PROGRAM runs as asked or not at all.
 * One program and no chain of them, because each costs a start of its own
 * (docs/decisions/0019-one-program-starts-tcpdump.md).
 *
 *   gcc -O2 -Wall -Wextra -Werror -o build/podcap-enter src/agent/enter/enter.c
 */
#define _GNU_SOURCE
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

static void fail(const char *what)
{
	fprintf(stderr, "podcap-enter: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The whole of a decimal number from 1 to 2^31 - 1: 0 would be root. */
static int number(const char *text)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || *end || value < 1 || value > 0x7fffffff) {
		errno = EINVAL;
		fail(text);
	}
	return value;
}

static void enter_network(const char *netns)
{
	int fd = open(netns, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		fail(netns);
}

/* The order of capabilities(7): the bounding set while SETPCAP is there, the ambient set when the others allow it. */
static void become(int user)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	/* Two of 32 bits; NET_RAW is in the first. */
	struct __user_cap_data_struct only[2] = { {
		.effective = 1u << CAP_NET_RAW,
		.permitted = 1u << CAP_NET_RAW,
		.inheritable = 1u << CAP_NET_RAW,
	} };

	/* The kernel has no capability after the first that it does not know. */
	for (int each = 0; prctl(PR_CAPBSET_READ, each, 0, 0, 0) >= 0; each += 1)
		if (each != CAP_NET_RAW && prctl(PR_CAPBSET_DROP, each, 0, 0, 0) < 0)
			fail("bounding set");
	if (setgroups(0, NULL) < 0)
		fail("groups");
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setresgid(user, user, user) < 0 || setresuid(user, user, user) < 0)
		fail("user");
	if (syscall(SYS_capset, &header, only) < 0)
		fail("capabilities");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) < 0)
		fail("ambient set");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail("no new privileges");
}

/* After the change of user, which would undo it. */
static void end_with(const char *parent)
{
	int pid = number(parent);

	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0)
		fail(parent);
	/* It can have died before that. */
	if (getppid() != pid) {
		errno = ESRCH;
		fail(parent);
	}
}

int main(int argc, char **argv)
{
	if (argc < 6) {
		fputs("usage: podcap-enter PARENT NETNS USER LIBRARY PROGRAM [ARGUMENT...]\n", stderr);
		return 1;
	}
	enter_network(argv[2]);
	become(number(argv[3]));
	end_with(argv[1]);
	/* The loader only warns of a library that is not there. */
	if (access(argv[4], R_OK) < 0 || setenv("LD_PRELOAD", argv[4], 1) < 0)
		fail(argv[4]);
	execvp(argv[5], argv + 5);
	fail(argv[5]);
}
