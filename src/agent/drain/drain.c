/*
 * Preloaded into tcpdump alone: nothing that the kernel has taken for a capture is lost when it ends, each capture
 * file holds whole packets and is written many packets at a time, and what only tcpdump can know is told on standard
 * error:
 *
 *   podcap: next file after 930 packets   a file is begun, and the one before has so many packets
 *   podcap: not written: ENOSPC           a file cannot be written or begun; the capture ends by itself, as if told to
 *   podcap: 17 packets in no file         at such an end: so many of tcpdump's "captured" could not be written
 *   podcap: interface down                and "up": the interface is there and carries nothing
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
#include <linux/if_packet.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
	BLOCK_TIMEOUT_MS = 100,
	/* The kernel's timer ticks every 1 to 10 ms and runs behind interrupts: half a timeout on top. */
	LAST_BLOCK_WAIT_MS = BLOCK_TIMEOUT_MS + BLOCK_TIMEOUT_MS / 2,
	/* How long libpcap sleeps at most while the interface is down (pcap-linux.c), and nobody else. */
	INTERFACE_DOWN_TIMEOUT_MS = 1,
	/* The largest packet that tcpdump can ask for (-s). */
	LARGEST_PACKET = 262144,
};

/* Declared here and not by <pcap.h>: the image's build needs a compiler and nothing else. */
typedef struct pcap pcap_t;
typedef struct pcap_dumper pcap_dumper_t;
struct pcap_pkthdr {
	struct timeval time;
	uint32_t captured_bytes;
	uint32_t bytes;
};

/* As it stands in a file (pcap-savefile(5)), in this machine's byte order. */
struct record {
	uint32_t seconds;
	uint32_t fraction;
	uint32_t captured_bytes;
	uint32_t bytes;
};

static struct {
	int (*bind)(int, const struct sockaddr *, socklen_t);
	int (*set_timeout)(pcap_t *, int);
	int (*activate)(pcap_t *);
	int (*fileno)(pcap_t *);
	void (*breakloop)(pcap_t *);
	pcap_dumper_t *(*dump_open)(pcap_t *, const char *);
	FILE *(*dump_file)(pcap_dumper_t *);
	void (*dump_close)(pcap_dumper_t *);
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
	*(void **)&real.dump_file = dlsym(RTLD_NEXT, "pcap_dump_file");
	*(void **)&real.dump_close = dlsym(RTLD_NEXT, "pcap_dump_close");
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

/*
 * The capture file. tcpdump gives each packet to stdio and, with -U, to write() at once, and looks at the result of
 * neither: on a full disk it goes on for ever. Here records are gathered and written when the buffer is full, when
 * the file ends and before poll() sleeps: what -U promises, at a write for each block instead of each packet.
 */
static struct {
	pcap_dumper_t *opened; /* NULL before the first and when a file could not be begun */
	int fd;
	int64_t size; /* with what is gathered */
	unsigned long packets; /* with what is gathered */
	unsigned char gathered[sizeof(struct record) + LARGEST_PACKET];
	size_t gathered_bytes;
	unsigned long gathered_packets;
	bool failed; /* nothing is written any more */
	unsigned long in_no_file;
} file;

/* What tcpdump holds in its place: it hands it back and never looks inside. */
static pcap_dumper_t *const dumper = (pcap_dumper_t *)&file;

/* Ends the capture in order, so that its statistics are complete and every packet is counted somewhere. */
static void fail(int error)
{
	if (file.failed)
		return;
	file.failed = true;
	dprintf(STDERR_FILENO, "podcap: not written: %s\n", strerrorname_np(error));
	if (capture != NULL)
		pcap_breakloop(capture);
}

/* Gives back how many bytes were written: all, or errno tells why not. */
static size_t write_all(int fd, const unsigned char *bytes, size_t length)
{
	size_t written = 0;

	while (written < length) {
		ssize_t now = write(fd, bytes + written, length - written);

		if (now >= 0)
			written += now;
		else if (errno != EINTR)
			break;
	}
	return written;
}

/* The whole records at the beginning of what is gathered, up to `bytes`: gives back their bytes, and counts them. */
static size_t whole_records(size_t bytes, unsigned long *packets)
{
	size_t whole = 0;
	struct record record;

	for (*packets = 0; whole + sizeof(record) <= bytes; *packets += 1) {
		memcpy(&record, file.gathered + whole, sizeof(record));
		if (whole + sizeof(record) + record.captured_bytes > bytes)
			break;
		whole += sizeof(record) + record.captured_bytes;
	}
	return whole;
}

static void write_gathered(void)
{
	if (file.gathered_bytes == 0)
		return;

	size_t written = write_all(file.fd, file.gathered, file.gathered_bytes);

	if (written < file.gathered_bytes) {
		int error = errno;
		unsigned long packets;
		size_t whole = whole_records(written, &packets);

		file.size -= file.gathered_bytes - whole;
		file.packets -= file.gathered_packets - packets;
		file.in_no_file += file.gathered_packets - packets;
		/* Without its last, half record; if even that is refused, a reader leaves it out. */
		if (ftruncate(file.fd, file.size) < 0)
			errno = error;
		fail(error);
	}
	file.gathered_bytes = 0;
	file.gathered_packets = 0;
}

/* libpcap writes the header, into stdio's buffer. False, and nothing is left of the file, when the disk does not take it. */
static bool begin_file(pcap_dumper_t *opened, const char *path)
{
	FILE *stream = real.dump_file(opened);

	if (fflush(stream) != 0) {
		int error = errno;

		real.dump_close(opened);
		unlink(path);
		errno = error;
		return false;
	}
	file.opened = opened;
	file.fd = fileno(stream);
	file.size = lseek(file.fd, 0, SEEK_CUR);
	return true;
}

/*
 * The ring is pruned when a file appears. inotify would tell that too, but Node's watch also wakes for every write,
 * which with -U is every packet; polling finds out late or wakes for nothing. The count is what is gone when the file
 * is: it costs an addition here, and reading the file before it is deleted otherwise.
 *
 * When the first file cannot be begun tcpdump ends with an error. With a later one it would end so as well, without
 * its statistics: it is told that all is well, and then to stop.
 */
pcap_dumper_t *pcap_dump_open(pcap_t *handle, const char *path)
{
	static bool any;
	bool is_first = !any;
	pcap_dumper_t *opened = real.dump_open(handle, path);
	bool begun = opened != NULL && begin_file(opened, path);

	any = true;
	if (begun)
		dprintf(STDERR_FILENO, "podcap: next file after %lu packets\n", file.packets);
	else
		fail(errno);
	file.packets = 0;
	return begun || !is_first ? dumper : NULL;
}

void pcap_dump(unsigned char *user, const struct pcap_pkthdr *header, const unsigned char *packet)
{
	struct record record = {
		.seconds = header->time.tv_sec,
		.fraction = header->time.tv_usec,
		.captured_bytes = header->captured_bytes,
		.bytes = header->bytes,
	};
	size_t bytes = sizeof(record) + record.captured_bytes;

	(void)user;
	if (file.gathered_bytes + bytes > sizeof(file.gathered))
		write_gathered();
	if (bytes > sizeof(file.gathered))
		fail(EMSGSIZE);
	if (file.failed) {
		file.in_no_file += 1;
		return;
	}
	memcpy(file.gathered + file.gathered_bytes, &record, sizeof(record));
	memcpy(file.gathered + file.gathered_bytes + sizeof(record), packet, record.captured_bytes);
	file.gathered_bytes += bytes;
	file.gathered_packets += 1;
	file.size += bytes;
	file.packets += 1;
}

/* -U asks for this after each packet; it is done before poll() sleeps. */
int pcap_dump_flush(pcap_dumper_t *user)
{
	(void)user;
	return 0;
}

/* -C compares it with the size at which the next file begins: after a failure there is none. */
int64_t pcap_dump_ftell64(pcap_dumper_t *user)
{
	(void)user;
	return file.failed ? 0 : file.size;
}

void pcap_dump_close(pcap_dumper_t *user)
{
	(void)user;
	write_gathered();
	if (file.opened != NULL)
		real.dump_close(file.opened);
	file.opened = NULL;
}

/* tcpdump leaves its last file to exit(). */
__attribute__((destructor)) static void end(void)
{
	write_gathered();
	if (file.in_no_file > 0)
		dprintf(STDERR_FILENO, "podcap: %lu packets in no file\n", file.in_no_file);
}

/* The kernel takes the index from a socket whose interface was deleted (packet_notifier()), not from one that is down. */
static bool has_interface(int fd)
{
	struct sockaddr_ll bound = {0};
	socklen_t length = sizeof(bound);

	return getsockname(fd, (struct sockaddr *)&bound, &length) == 0 && bound.sll_ifindex > 0;
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
	return is_down ? BLOCK_TIMEOUT_MS : timeout_ms;
}

static int poll_capture(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	sigset_t all, before;
	int ready = -1, saved_errno = EINTR;

	write_gathered();
	timeout_ms = tell_interface(timeout_ms);
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
