/*
 * poll(), in which libpcap waits for the next block. Before tcpdump sleeps here, what is captured is written
 * (dumper.c). A message of the agent wakes it up, however silent the interface is. When the capture ends, libpcap reads
 * the last block first (last-block.c). How long libpcap would sleep shows whether the interface is down.
 */
#define _GNU_SOURCE
#include "dumper.h"
#include "files-to-keep.h"
#include "interface-name.h"
#include "last-block.h"
#include "receive-ring.h"
#include "stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	/* The kernel's timer ticks every 1 to 10 ms and runs behind interrupts: half a timeout on top. */
	LAST_BLOCK_WAIT_MS = BLOCK_TIMEOUT_MS + BLOCK_TIMEOUT_MS / 2,
	LAST_BLOCK_CHECK_MS = 10,
	/* How long libpcap sleeps at most while the interface is down (pcap-linux.c), and at no other time. */
	INTERFACE_DOWN_TIMEOUT_MS = 1,
	INTERFACE_CHECK_MS = 100,
	/* libpcap polls its packet socket, and a descriptor that interrupts it. */
	LIBPCAP_FDS = 2,
};

/*
 * The end for which "readable" has been returned, so that libpcap reads the last block. Each end has its own: an
 * interface that was only set down can be up again and receive packets when the signal comes.
 */
static enum end { NONE, INTERFACE_GONE, STOPPED } flushed_for;

/* poll(), but if `signals` is given, that mask applies while it sleeps: see poll_capture(). */
static int poll_with(struct pollfd *fds, nfds_t count, int timeout_ms, const sigset_t *signals)
{
	struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};

	return ppoll(fds, count, timeout_ms < 0 ? NULL : &timeout, signals);
}

/* The same, and takes the agent's messages: `has_message` tells whether it returned for one. */
static int poll_for_messages(struct pollfd *fds, nfds_t count, int timeout_ms, const sigset_t *signals,
			     bool *has_message)
{
	struct pollfd all[LIBPCAP_FDS + 1];

	memcpy(all, fds, count * sizeof(*fds));
	/* A negative descriptor is ignored. */
	all[count] = (struct pollfd){.fd = files_to_keep_fd(), .events = POLLIN};

	int ready = poll_with(all, count + 1, timeout_ms, signals);

	*has_message = ready > 0 && all[count].revents != 0;
	if (ready <= 0)
		return ready;
	memcpy(fds, all, count * sizeof(*fds));
	if (!*has_message)
		return ready;
	take_files_to_keep();
	return ready - 1;
}

/* The same, and writes what is captured meanwhile. */
static int poll_writing(struct pollfd *fds, nfds_t count, int timeout_ms, const sigset_t *signals)
{
	for (;;) {
		int due_ms = write_before_sleep();
		bool is_due_first = due_ms >= 0 && (timeout_ms < 0 || due_ms < timeout_ms);
		bool has_message;

		if (capture.is_stopping) { /* the write failed: no packet would end the sleep */
			errno = EINTR;
			return -1;
		}

		int ready = poll_for_messages(fds, count, is_due_first ? due_ms : timeout_ms, signals, &has_message);

		if (ready != 0 || !(has_message || is_due_first))
			return ready;
		if (timeout_ms > 0 && !has_message)
			timeout_ms -= due_ms;
	}
}

/* The kernel clears the index in a socket whose interface is deleted (packet_notifier()), not if it is only down. */
static bool has_interface(void)
{
	return captured_interface() > 0;
}

/* Whether the kernel has retired a block, even while poll() reports an error each time. */
static bool is_readable(int fd)
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};

	return poll_with(&polled, 1, 0, NULL) > 0 && (polled.revents & POLLIN);
}

/*
 * Returns when libpcap can read what the receive ring still has: true if that is the last of it. An interface that is
 * being deleted is down first. One that is only down may be up again: its block is left to the kernel's timer.
 */
static bool prepare_last_block(void)
{
	const struct timespec pause = {.tv_nsec = LAST_BLOCK_CHECK_MS * 1000000L};

	for (int waited_ms = 0; waited_ms < LAST_BLOCK_WAIT_MS; waited_ms += LAST_BLOCK_CHECK_MS) {
		if ((capture.is_stopping || !has_interface()) && retire_open_block(capture.fd))
			break;
		if (is_readable(capture.fd))
			return false;
		nanosleep(&pause, NULL); /* shorter when SIGUSR1 asks for statistics */
	}
	return true;
}

/*
 * Reports once when the interface is down and once when it is up again. Returns how long to sleep: libpcap checks a
 * thousand times a second whether it is up, and ten times are enough.
 */
static int report_interface(int timeout_ms)
{
	static bool reported_down;
	bool is_down = timeout_ms == INTERFACE_DOWN_TIMEOUT_MS && has_interface();

	if (is_down != reported_down) {
		dprintf(STDERR_FILENO, "podcap: interface %s\n", is_down ? "down" : "up");
		report_interface_name();
	}
	reported_down = is_down;
	return is_down ? INTERFACE_CHECK_MS : timeout_ms;
}

static int poll_capture(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	sigset_t all, before;
	int ready = -1, saved_errno = EINTR;
	static bool had_error;

	timeout_ms = report_interface(timeout_ms);
	/* An interface is usually set down to be renamed; libpcap has seen meanwhile that it is up again. */
	if (had_error)
		report_interface_name();
	had_error = false;
	/* A signal between the check of `is_stopping` and the sleep would not wake it: never, on an idle interface. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	if (!capture.is_stopping) {
		ready = poll_writing(fds, count, timeout_ms, &before);
		saved_errno = errno;
		if (ready > 0)
			report_full_receive_ring();
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = saved_errno;

	enum end end = NONE;

	had_error = ready > 0 && (fds[0].revents & POLLERR);
	if (capture.is_stopping)
		end = STOPPED;
	else if (had_error)
		end = INTERFACE_GONE;

	if (end != NONE && end != flushed_for) {
		if (prepare_last_block())
			flushed_for = end;
		for (nfds_t i = 0; i < count; i++)
			fds[i].revents = 0;
		fds[0].revents = POLLIN;
		return 1;
	}
	flushed_for = NONE;
	if (end != NONE)
		write_everything(); /* before tcpdump prints its statistics: it may fail */
	if (end == STOPPED) {
		break_loop();
		errno = EINTR;
		return -1;
	}
	return ready; /* at POLLERR libpcap checks by itself: "The interface disappeared", or it is up again */
}

/* glibc declares that poll() only writes to fds, and gcc believes it. */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	bool is_capture = count > 0 && count <= LIBPCAP_FDS && fds[0].fd == capture.fd;

	return is_capture ? poll_capture(fds, count, timeout_ms) : poll_with(fds, count, timeout_ms, NULL);
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t fds_bytes)
{
	(void)fds_bytes;
	return poll(fds, count, timeout_ms);
}
