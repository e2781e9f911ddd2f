/*
 * podcap-tap-preload.so, which the agent preloads into the tcpdump of a tap. That writes to a pipe, for somebody who
 * watches, and keeps up with bursts.
 *
 *   function          why
 *   pcap_set_timeout  the kernel hands over a block of packets after this time at most. --immediate-mode alone hands over
 *                     each packet, but a ring of 8 MiB then has 128 slots of 64 KiB: 4 % of 10,000 packets/s were dropped
 *   pcap_dump_flush   does nothing: -U asks for it after each packet, and a write of each costs more than the packet
 *   poll              writes what is buffered before tcpdump sleeps
 *   __poll_chk        the same, for a libpcap that is compiled with _FORTIFY_SOURCE
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

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

/* An error remains, and ends tcpdump at its next packet. Without a reader, SIGPIPE ends it here. */
int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	(void)fflush(stdout);
	return real.poll(fds, count, timeout_ms);
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t fds_bytes)
{
	(void)fds_bytes;
	return poll(fds, count, timeout_ms);
}
