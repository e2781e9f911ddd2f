/*
 * Preloaded into tcpdump alone: nothing that the kernel has taken for a capture is lost when it ends, and what is
 * captured is written as dumper.c says. What only tcpdump can know is told on standard error:
 *
 *   podcap: file 9 after 7440 packets, 930 of them pruned
 *                                    the ninth file is begun; those before have, or had, so many packets
 *   podcap: file deleted             the one that is being written, by somebody else
 *   podcap: not written: ENOSPC      a file cannot be written or begun: the capture ends, as if it were told to
 *   podcap: 17 packets in no file    at such an end: so many of those that tcpdump calls captured
 *   podcap: interface down           and "up": the interface is there and carries nothing
 *
 *   gcc -O2 -Wall -Wextra -Werror -shared -fPIC -o build/podcap-preload.so src/agent/preload/{drain,last-block,time-stamps,turns,write,ring,held}.c -ldl
 *
 * The kernel fills a capture's receive ring block by block (TPACKET_V3, packet_mmap.rst) and hands a block over
 * when it is full or when its timeout, a second, has passed. At the end tcpdump drops the block that is still open: of
 * a deleted Pod's last 1,000 datagrams its file has none. So here
 *
 *   start   the socket hears nothing until its filter is there: what it counts is what the filter let in;
 *   end     the first poll() that would end the loop (the interface went, or a signal) has the open block handed over
 *           (last-block.c) and says "readable" once; libpcap empties the ring; the next poll() ends the loop.
 *
 * That rests on three habits of libpcap 1.10 (pcap-linux.c): it reads every block that is handed over
 * before it polls again, the packet socket is the first that it polls, and an interrupted poll() ends the loop
 * after pcap_breakloop(). preload.integration.test.ts fails when one of them changes.
 *
 * tcpdump has one thread and one capture; its TERM, INT, HUP and PIPE handler calls pcap_breakloop() and nothing
 * else of libpcap, so pcap_breakloop() below is written for a signal handler (signal-safety(7)).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "last-block.h"
#include "time-slice.h"
#include "dumper.h"

enum {
	/*
	 * tcpdump's own. Each capture has a timer of its own in the kernel, which wakes a core so often; a shorter one
	 * makes a hundred captures felt by everybody (docs/decisions/0020).
	 */
	BLOCK_TIMEOUT_MS = 1000,
	/* The kernel's timer ticks every 1 to 10 ms and runs behind interrupts: half a timeout on top. */
	LAST_BLOCK_WAIT_MS = BLOCK_TIMEOUT_MS + BLOCK_TIMEOUT_MS / 2,
	LAST_BLOCK_LOOK_MS = 10,
	/* How long libpcap sleeps at most while the interface is down (pcap-linux.c), and nobody else. */
	INTERFACE_DOWN_TIMEOUT_MS = 1,
	INTERFACE_LOOK_MS = 100,
};

static struct {
	int (*bind)(int, const struct sockaddr *, socklen_t);
	int (*set_timeout)(pcap_t *, int);
	int (*activate)(pcap_t *);
	int (*fileno)(pcap_t *);
	void (*breakloop)(pcap_t *);
} real;

/* The live capture. Handles that only compile a filter, list interfaces or read a file are never activated. */
static pcap_t *capture;
static int capture_fd = -1;

static volatile sig_atomic_t stopping; /* pcap_breakloop() was called: the filter lets nothing in any more */

/*
 * The ending for which "readable" was said. Each waits for itself: an interface that was only set down can be up
 * again and heard when the signal comes.
 */
static enum ending { RUNNING, GONE, STOPPED } drained;

/* Before main: dlsym() is nothing for a signal handler. A function that is not there is never called either. */
__attribute__((constructor)) static void find_real_functions(void)
{
	*(void **)&real.bind = dlsym(RTLD_NEXT, "bind");
	*(void **)&real.set_timeout = dlsym(RTLD_NEXT, "pcap_set_timeout");
	*(void **)&real.activate = dlsym(RTLD_NEXT, "pcap_activate");
	*(void **)&real.fileno = dlsym(RTLD_NEXT, "pcap_fileno");
	*(void **)&real.breakloop = dlsym(RTLD_NEXT, "pcap_breakloop");
}

/* One instruction, "accept 0 bytes": the socket neither takes nor counts a packet. False if it is no such socket. */
static bool let_nothing_in(int fd)
{
	static struct sock_filter instructions[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	static const struct sock_fprog program = {.len = 1, .filter = instructions};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

/* poll(), but with the caller's signals let in only while it sleeps, if `signals` is given: see poll(). */
static int poll_with(struct pollfd *fds, nfds_t count, int timeout_ms, const sigset_t *signals)
{
	struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};

	return ppoll(fds, count, timeout_ms < 0 ? NULL : &timeout, signals);
}

/* The same, and what is captured is written meanwhile. */
static int poll_writing(struct pollfd *fds, nfds_t count, int timeout_ms, const sigset_t *signals)
{
	for (;;) {
		int due_ms = write_before_sleep();

		if (due_ms < 0 || (timeout_ms >= 0 && timeout_ms <= due_ms))
			return poll_with(fds, count, timeout_ms, signals);

		int ready = poll_with(fds, count, due_ms, signals);

		if (ready != 0)
			return ready;
		if (timeout_ms > 0)
			timeout_ms -= due_ms;
	}
}

/*
 * What arrives between libpcap's bind() and its filter is counted as received and then thrown away unless it
 * matches: the statistics would never add up. pcap_setfilter(), which tcpdump always calls, replaces this filter.
 */
int bind(int fd, const struct sockaddr *address, socklen_t length)
{
	if (address->sa_family == AF_PACKET)
		let_nothing_in(fd);
	return real.bind(fd, address, length);
}

int pcap_set_timeout(pcap_t *handle, int ms)
{
	(void)ms;
	return real.set_timeout(handle, BLOCK_TIMEOUT_MS);
}

/* Negative is an error, positive a warning. */
int pcap_activate(pcap_t *handle)
{
	int status = real.activate(handle);

	if (status >= 0) {
		capture = handle;
		capture_fd = real.fileno(handle);
		take_longer_turns();
	}
	return status;
}

/*
 * In a signal handler, at any moment: in the middle of a packet's callback, before poll(), within it.
 * The filter comes first, so that the counters stand still from here on and the ring can be emptied; breaking the
 * loop is left to poll(), because libpcap would break off within the block that it is reading.
 * A second call changes nothing: the end is bounded, and whoever cannot wait for it has KILL.
 */
void pcap_breakloop(pcap_t *handle)
{
	int saved_errno = errno;

	if (handle == capture && let_nothing_in(capture_fd))
		stopping = 1;
	else
		real.breakloop(handle); /* nothing to drain: a file is being read, or the socket is unusable */
	errno = saved_errno;
}

/* The kernel takes the index from a socket whose interface was deleted (packet_notifier()), not from one that is down. */
static bool has_interface(int fd)
{
	struct sockaddr_ll bound = {0};
	socklen_t length = sizeof(bound);

	return getsockname(fd, (struct sockaddr *)&bound, &length) == 0 && bound.sll_ifindex > 0;
}

/* Whether the kernel has handed over a block: beside an error that poll() tells again and again. */
static bool is_readable(int fd)
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};

	return poll_with(&polled, 1, 0, NULL) > 0 && (polled.revents & POLLIN);
}

/*
 * Gives back when libpcap can read what the ring holds: true if that is the last of it. An interface that is being
 * deleted is down before. One that only is down may be up again: its block is left to the kernel's timer.
 */
static bool prepare_last_block(void)
{
	const struct timespec pause = {.tv_nsec = LAST_BLOCK_LOOK_MS * 1000000L};

	for (int waited_ms = 0; waited_ms < LAST_BLOCK_WAIT_MS; waited_ms += LAST_BLOCK_LOOK_MS) {
		if ((stopping || !has_interface(capture_fd)) && hand_over_open_block(capture_fd))
			break;
		if (is_readable(capture_fd))
			return false;
		nanosleep(&pause, NULL); /* USR1 asks for statistics: then it is shorter */
	}
	return true;
}

/*
 * Tells once when the interface is down and once when it is up again. Gives back how long to sleep: libpcap looks a
 * thousand times a second whether it is up, and ten times are enough.
 */
static int tell_interface(int timeout_ms)
{
	static bool told_down;
	bool is_down = timeout_ms == INTERFACE_DOWN_TIMEOUT_MS && has_interface(capture_fd);

	if (is_down != told_down)
		dprintf(STDERR_FILENO, "podcap: interface %s\n", is_down ? "down" : "up");
	told_down = is_down;
	return is_down ? INTERFACE_LOOK_MS : timeout_ms;
}

/* Does as TERM does. */
void end_capture(void)
{
	if (capture != NULL)
		pcap_breakloop(capture);
}

static int poll_capture(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	sigset_t all, before;
	int ready = -1, saved_errno = EINTR;

	timeout_ms = tell_interface(timeout_ms);
	/* A signal between the look at `stopping` and the sleep would be slept through: on an idle interface for ever. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	if (!stopping) {
		ready = poll_writing(fds, count, timeout_ms, &before);
		saved_errno = errno;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = saved_errno;

	enum ending now = stopping ? STOPPED : ready > 0 && (fds[0].revents & POLLERR) ? GONE : RUNNING;

	if (now != RUNNING && now != drained) {
		if (prepare_last_block())
			drained = now;
		for (nfds_t i = 0; i < count; i++)
			fds[i].revents = 0;
		fds[0].revents = POLLIN;
		return 1;
	}
	drained = RUNNING;
	if (now != RUNNING)
		write_everything(); /* before tcpdump says its statistics: it may fail */
	if (now == STOPPED) {
		real.breakloop(capture);
		errno = EINTR;
		return -1;
	}
	return ready; /* with POLLERR libpcap looks: "The interface disappeared", or it is up again */
}

/* glibc declares that poll() only writes to fds, and gcc believes it. */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	bool of_capture = count > 0 && fds[0].fd == capture_fd;

	return of_capture ? poll_capture(fds, count, timeout_ms) : poll_with(fds, count, timeout_ms, NULL);
}

/* What a libpcap that was compiled with _FORTIFY_SOURCE may call instead. */
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t fds_bytes)
{
	(void)fds_bytes;
	return poll(fds, count, timeout_ms);
}
