/*
 * podcap-tap-preload.so, which the agent preloads into the tcpdump of a tap. That writes to a pipe, for somebody who
 * watches, and keeps up with bursts.
 *
 *   function          why
 *   pcap_set_timeout  the kernel hands over a block of packets after this time at most. --immediate-mode alone hands over
 *                     each packet, but a ring of 8 MiB then has 128 slots of 64 KiB: 4 % of 10,000 packets/s were dropped
 *   pcap_dump_flush   does nothing: -U asks for it after each packet, and a write of each costs more than the packet
 *   poll              writes what is buffered before tcpdump sleeps, and lets libpcap read the last block once the
 *                     interface is gone
 *   __poll_chk        the same, for a libpcap that is compiled with _FORTIFY_SOURCE
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* libpcap's, but not by <pcap.h>: the image is built with a compiler and libc alone. */
typedef struct pcap pcap_t;
typedef struct pcap_dumper pcap_dumper_t;

enum {
	/* A packet waits for one to two of these. */
	BLOCK_TIMEOUT_MS = 10,
	/* As much as a pipe takes by default. */
	BUFFER_BYTES = 1 << 16,
};

static struct {
	int (*set_timeout)(pcap_t *, int);
	int (*poll)(struct pollfd *, nfds_t, int);
} real;

static void find_real(void *function_pointer, const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	/* Copied, not cast: ISO C has no conversion from an object pointer to a function pointer (dlsym(3)). */
	memcpy(function_pointer, &symbol, sizeof(symbol));
}

__attribute__((constructor)) static void prepare(void)
{
	static char buffer[BUFFER_BYTES];

	find_real(&real.set_timeout, "pcap_set_timeout");
	find_real(&real.poll, "poll");
	/* If it fails, the buffer is smaller. */
	(void)setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
}

int pcap_set_timeout(pcap_t *handle, int ms)
{
	(void)ms;
	return real.set_timeout(handle, BLOCK_TIMEOUT_MS);
}

int pcap_dump_flush(pcap_dumper_t *dumper)
{
	(void)dumper;
	return 0;
}

/*
 * When the interface goes, the newest packets are in a block that is still open, and libpcap ends before it is handed
 * over. So the error comes once the block has been: the kernel reports it until libpcap asks which one it is.
 */
static void let_last_block_be_read(struct pollfd *capture)
{
	static const struct timespec until_handed_over = {.tv_nsec = 3 * BLOCK_TIMEOUT_MS * 1000000L};
	static bool is_read;

	if (!(capture->revents & POLLERR)) {
		is_read = false;
		return;
	}
	if (is_read)
		return;
	is_read = true;
	(void)nanosleep(&until_handed_over, NULL);
	capture->revents = POLLIN;
}

/*
 * An error of the write remains, and ends tcpdump at its next packet; without a reader, SIGPIPE ends it here. The packet
 * socket is the first descriptor that libpcap polls.
 */
int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	(void)fflush(stdout);

	int ready = real.poll(fds, count, timeout_ms);

	if (ready > 0 && count > 0)
		let_last_block_be_read(&fds[0]);
	return ready;
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t fds_bytes)
{
	(void)fds_bytes;
	return poll(fds, count, timeout_ms);
}
