/*
 * Preloaded into tcpdump alone: nothing that the kernel has taken for a capture is lost when it ends, and each
 * capture file is announced on standard error when it is begun, with how many packets the one before has
 * ("podcap: next file after 930 packets").
 *
 *   gcc -O2 -Wall -Wextra -Werror -shared -fPIC -o build/podcap-drain.so src/agent/drain/drain.c -ldl
 *   env LD_PRELOAD=build/podcap-drain.so tcpdump -i eth0 -w file
 *
 * The kernel fills a capture's receive ring block by block (TPACKET_V3, packet_mmap.rst) and hands a block over
 * when it is full or when its timeout has passed. tcpdump asks for 1,000 ms and, at the end, drops the block that
 * is still open: of a deleted Pod's last 100 datagrams its file has none. So here
 *
 *   start   the socket hears nothing until its filter is there: what it counts is what the filter let in;
 *   run     the timeout is 100 ms: long enough that one packet per block does not eat the ring (-B is at least
 *           ten blocks of 256 KiB for a stall of 1 s), short enough to wait for;
 *   end     the first poll() that would end the loop (the interface went, or a signal) waits until the open block
 *           has been handed over and says "readable" once; libpcap empties the ring; the next poll() ends the loop.
 *
 * That rests on three habits of libpcap 1.10 (pcap-linux.c): it reads every block that is handed over
 * before it polls again, the packet socket is the first that it polls, and an interrupted poll() ends the loop
 * after pcap_breakloop(). drain.real.test.ts fails when one of them changes.
 *
 * tcpdump has one thread and one capture; its TERM, INT, HUP and PIPE handler calls pcap_breakloop() and nothing
 * else of libpcap, so pcap_breakloop() below is written for a signal handler (signal-safety(7)).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	BLOCK_TIMEOUT_MS = 100,
	/* The kernel's timer ticks every 1 to 10 ms and runs behind interrupts: half a timeout on top. */
	LAST_BLOCK_WAIT_MS = BLOCK_TIMEOUT_MS + BLOCK_TIMEOUT_MS / 2,
};

/* Declared here and not by <pcap.h>: the image's build needs a compiler and nothing else. */
typedef struct pcap pcap_t;
typedef struct pcap_dumper pcap_dumper_t;

static struct {
	int (*bind)(int, const struct sockaddr *, socklen_t);
	int (*set_timeout)(pcap_t *, int);
	int (*activate)(pcap_t *);
	int (*fileno)(pcap_t *);
	void (*breakloop)(pcap_t *);
	pcap_dumper_t *(*dump_open)(pcap_t *, const char *);
	void (*dump)(unsigned char *, const void *, const unsigned char *);
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
	*(void **)&real.dump_open = dlsym(RTLD_NEXT, "pcap_dump_open");
	*(void **)&real.dump = dlsym(RTLD_NEXT, "pcap_dump");
}

/* One instruction, "accept 0 bytes": the socket neither takes nor counts a packet. False if it is no such socket. */
static bool let_nothing_in(int fd)
{
	static struct sock_filter instructions[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	static const struct sock_fprog program = {.len = 1, .filter = instructions};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

static void wait_for_the_last_block(void)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += LAST_BLOCK_WAIT_MS * 1000000L;
	if (end.tv_nsec >= 1000000000L) {
		end.tv_sec += 1;
		end.tv_nsec -= 1000000000L;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
		; /* USR1 asks for statistics, a second TERM for what is happening already */
}

/* poll(), but with the caller's signals let in only while it sleeps, if `signals` is given: see poll(). */
static int poll_with(struct pollfd *fds, nfds_t count, int timeout_ms, const sigset_t *signals)
{
	struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};

	return ppoll(fds, count, timeout_ms < 0 ? NULL : &timeout, signals);
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
	}
	return status;
}

static unsigned long packets_in_file;

/*
 * The ring is pruned when a file appears. inotify would tell that too, but Node's watch also wakes for every write,
 * which with -U is every packet; polling finds out late or wakes for nothing. The count is what is gone when the file
 * is: it costs an addition here, and reading the file before it is deleted otherwise.
 */
pcap_dumper_t *pcap_dump_open(pcap_t *handle, const char *path)
{
	pcap_dumper_t *file = real.dump_open(handle, path);

	if (file != NULL)
		dprintf(STDERR_FILENO, "podcap: next file after %lu packets\n", packets_in_file);
	packets_in_file = 0;
	return file;
}

void pcap_dump(unsigned char *file, const void *header, const unsigned char *packet)
{
	packets_in_file++;
	real.dump(file, header, packet);
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

static int poll_capture(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	sigset_t all, before;
	int ready = -1, saved_errno = EINTR;

	/* A signal between the look at `stopping` and the sleep would be slept through: on an idle interface for ever. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	if (!stopping) {
		ready = poll_with(fds, count, timeout_ms, &before);
		saved_errno = errno;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = saved_errno;

	enum ending now = stopping ? STOPPED : ready > 0 && (fds[0].revents & POLLERR) ? GONE : RUNNING;

	if (now != RUNNING && now != drained) {
		drained = now;
		wait_for_the_last_block();
		for (nfds_t i = 0; i < count; i++)
			fds[i].revents = 0;
		fds[0].revents = POLLIN;
		return 1;
	}
	drained = RUNNING;
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
