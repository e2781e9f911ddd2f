/*
 * The filter: the kernel runs it, or tcpdump ends and the library reports why.
 *
 * libpcap alone runs a filter itself that the kernel refuses. Then every packet of the Pod takes space in the receive
 * ring and counts as received: packets that match are lost, and the statistics do not add up. It also runs a filter that
 * the kernel has accepted, on the first blocks of the ring: they could have packets from before that filter. Here they
 * have none (start.c), and libpcap has no value for what the kernel alone knows, such as the direction of a packet:
 * it would discard the first packets that match `inbound`.
 *
 * The agent has had the filter compiled before, for a few link types (filter-check.ts). What counts is this interface.
 */
#define _GNU_SOURCE
#include "preload.h"
#include "receive-ring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	/* Nearly every filter compiles in less. The others compile one at a time: the cores of a Node are for its Pods. */
	COMPILE_ALONE_AFTER_MS = 50,
	/* As long as this: a compromised tcpdump can hold the lock, and must not keep other Pods from being captured. */
	WAIT_SECONDS = 5,
	/* In case the wait began only after the signal that ends it. */
	WAIT_AGAIN_SECONDS = 1,
	/* More than filter-check.ts allows: the same filter is a larger program on an interface that has VLAN tags. */
	COMPILE_SECONDS = 3,
};

/* libpcap's; its struct bpf_insn is the kernel's struct sock_filter. */
struct bpf_program {
	unsigned int length;
	struct sock_filter *instructions;
};

static struct {
	int (*setsockopt)(int, int, int, const void *, socklen_t);
	int (*compile)(pcap_t *, struct bpf_program *, const char *, int, unsigned int);
	int (*setfilter)(pcap_t *, struct bpf_program *);
	int (*datalink)(pcap_t *);
	const char *(*datalink_name)(int);
	const char *(*datalink_description)(int);
	char *(*geterr)(pcap_t *);
} real;

/* What pcap_setfilter() is doing, and the error of the last filter that it has attached to the socket. */
static enum { NO_FILTER, ATTACHING, KEEPING } step;
static int attach_error;

__attribute__((constructor)) static void find_real_functions(void)
{
	find_real(&real.setsockopt, "setsockopt");
	find_real(&real.compile, "pcap_compile");
	find_real(&real.setfilter, "pcap_setfilter");
	find_real(&real.datalink, "pcap_datalink");
	find_real(&real.datalink_name, "pcap_datalink_val_to_name");
	find_real(&real.datalink_description, "pcap_datalink_val_to_description");
	find_real(&real.geterr, "pcap_geterr");
}

/* A file that all tcpdumps of the agent share, open to be locked; -1 if that is not possible. */
static int shared_file = -1;

/* The signal itself ends the wait. */
static void end_wait(int signal)
{
	(void)signal;
}

/* In a signal handler. The lock ends with the descriptor, or with the process. */
static void wait_for_other_compilations(int signal)
{
	const struct itimerval longest = {
		.it_value = {.tv_sec = WAIT_SECONDS},
		.it_interval = {.tv_sec = WAIT_AGAIN_SECONDS},
	};
	const struct itimerval never = {0};
	int saved_errno = errno;

	(void)signal;
	setitimer(ITIMER_REAL, &longest, NULL);
	(void)flock(shared_file, LOCK_EX);
	setitimer(ITIMER_REAL, &never, NULL);
	errno = saved_errno;
}

static void compile_alone_later(void)
{
	const struct itimerval after = {.it_value = {.tv_usec = COMPILE_ALONE_AFTER_MS * 1000}};
	/* Without SA_RESTART, which signal() sets. */
	const struct sigaction at_end = {.sa_handler = end_wait};

	shared_file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	sigaction(SIGALRM, &at_end, NULL);
	signal(SIGVTALRM, wait_for_other_compilations);
	setitimer(ITIMER_VIRTUAL, &after, NULL);
}

static void let_others_compile(void)
{
	const struct itimerval never = {0};

	setitimer(ITIMER_VIRTUAL, &never, NULL);
	signal(SIGVTALRM, SIG_DFL);
	signal(SIGALRM, SIG_DFL);
	if (shared_file >= 0)
		close(shared_file);
	shared_file = -1;
}

/* In a signal handler. */
static void end_compilation(int signal)
{
	static const char message[] = "podcap: filter takes too long to compile\n";

	(void)signal;
	_exit(write(STDERR_FILENO, message, sizeof(message) - 1) < 0 ? 2 : 1);
}

/* Limits the CPU time of this process to what it has used and a few seconds more, or removes the limit. */
static void limit_cpu_time(bool is_limited)
{
	struct rusage usage;
	struct rlimit limit;

	getrusage(RUSAGE_SELF, &usage);
	getrlimit(RLIMIT_CPU, &limit);
	limit.rlim_cur = limit.rlim_max;
	if (is_limited)
		limit.rlim_cur = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + COMPILE_SECONDS;
	signal(SIGXCPU, is_limited ? end_compilation : SIG_DFL);
	setrlimit(RLIMIT_CPU, &limit);
}

static const char *known(const char *text)
{
	return text == NULL ? "unknown" : text;
}

int pcap_compile(pcap_t *handle, struct bpf_program *program, const char *expression, int optimize,
		 unsigned int netmask)
{
	limit_cpu_time(true);
	compile_alone_later();

	int result = real.compile(handle, program, expression, optimize, netmask);

	let_others_compile();
	limit_cpu_time(false);
	if (result < 0) {
		int link_type = real.datalink(handle);

		dprintf(STDERR_FILENO, "podcap: filter not compiled for %s (%s): %s\n",
			known(real.datalink_name(link_type)), known(real.datalink_description(link_type)),
			real.geterr(handle));
	}
	return result;
}

/*
 * libpcap attaches the filter while ATTACHING. An error that means "no filters in this kernel" keeps it from printing a
 * warning of its own. While KEEPING, the socket keeps the filter that it has.
 */
static int attach_filter(int fd, const void *value, socklen_t bytes)
{
	if (step == KEEPING)
		return 0;

	int result = real.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, value, bytes);

	attach_error = result == 0 ? 0 : errno;
	if (result != 0)
		errno = EOPNOTSUPP;
	return result;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t bytes)
{
	if (level == SOL_SOCKET && name == SO_ATTACH_FILTER && step != NO_FILTER)
		return attach_filter(fd, value, bytes);

	int result = real.setsockopt(fd, level, name, value, bytes);

	/* Only TPACKET_V3 has blocks, and is requested with this structure. */
	if (result == 0 && level == SOL_PACKET && name == PACKET_RX_RING && bytes == sizeof(struct tpacket_req3))
		note_receive_ring(fd, value);
	return result;
}

/* The kernel runs no loops. Each other jump of a program goes forward. */
static bool has_loop(const struct bpf_program *program)
{
	for (unsigned int i = 0; i < program->length; i++) {
		const struct sock_filter *instruction = &program->instructions[i];

		if (instruction->code == (BPF_JMP | BPF_JA) && (int32_t)instruction->k < 0)
			return true;
	}
	return false;
}

/* To libpcap, a filter that accepts everything: the kernel has the one that counts. */
static int accept_in_user_space(pcap_t *handle)
{
	struct sock_filter accept = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	struct bpf_program program = {.length = 1, .instructions = &accept};

	return real.setfilter(handle, &program);
}

int pcap_setfilter(pcap_t *handle, struct bpf_program *program)
{
	step = ATTACHING;
	attach_error = ENOTSUP; /* if libpcap does not even try */

	int result = real.setfilter(handle, program);

	if (result == 0 && attach_error != 0) {
		dprintf(STDERR_FILENO, "podcap: filter of %u instructions%s not in the kernel: %s\n", program->length,
			has_loop(program) ? " with a loop" : "", strerrorname_np(attach_error));
		result = -1;
	}
	step = KEEPING;
	if (result == 0)
		result = accept_in_user_space(handle);
	step = NO_FILTER;
	return result;
}
