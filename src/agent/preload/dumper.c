/*
 * What is captured, from tcpdump's hands into the capture files. tcpdump gives each packet to stdio and, with -U, to
 * write() at once, and looks at the result of neither: on a full disk it goes on for ever. Here records are held in
 * memory (write-buffer.c) and written into the ring's files (ring.c) when there is nothing more to read. What cannot be
 * written ends the capture, in order: every packet is in a file, or in a number that is told.
 *
 *   pcap_dump() --> held --> write_ring(): before poll() sleeps, or a second later, see must_write()
 *                     |
 *                     +----> forgotten: the ring would have deleted it before it was a second old
 *
 * That rests on tcpdump using of a dumper what is defined here and nothing else.
 */
#define _GNU_SOURCE
#include "dumper.h"
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "write-buffer.h"
#include "pcap-record.h"
#include "ring.h"

enum {
	/* A ring that lives shorter is written so often only. */
	WRITE_EVERY_MS = 1000,
	/* The agent is told of new files so often at most. */
	TELL_EVERY_MS = 20,
	/* The largest packet that tcpdump can ask for (-s). */
	LARGEST_PACKET = 262144,
	/* libpcap's PCAP_ERRBUF_SIZE */
	ERROR_BYTES = 256,
};

struct pcap_pkthdr {
	struct timeval time;
	uint32_t captured_bytes;
	uint32_t bytes;
};

static struct {
	pcap_dumper_t *(*dump_fopen)(pcap_t *, FILE *);
	void (*dump_close)(pcap_dumper_t *);
	char *(*geterr)(pcap_t *);
} real;

__attribute__((constructor)) static void find_real_functions(void)
{
	*(void **)&real.dump_fopen = dlsym(RTLD_NEXT, "pcap_dump_fopen");
	*(void **)&real.dump_close = dlsym(RTLD_NEXT, "pcap_dump_close");
	*(void **)&real.geterr = dlsym(RTLD_NEXT, "pcap_geterr");
}

static int failed; /* why nothing is written any more, as errno has it; 0 while it is */
static unsigned long in_no_file;
static struct timespec written_at;

/* What the agent is told of the files: what was so when they were written last. */
static struct {
	unsigned long begun, packets, pruned;
	unsigned long told; /* how many were begun when that was told last */
	struct timespec told_at;
} files;

/* What tcpdump holds in place of a dumper: it hands it back and never looks inside. */
static pcap_dumper_t *const dumper = (pcap_dumper_t *)&files;

static struct timespec now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now;
}

static int64_t ms_between(const struct timespec *from, const struct timespec *to)
{
	return (to->tv_sec - from->tv_sec) * 1000 + (to->tv_nsec - from->tv_nsec) / 1000000;
}

/* Ends the capture in order, so that its statistics are complete and every packet is counted somewhere. */
static void fail(int error)
{
	if (failed)
		return;
	failed = error;
	in_no_file += give_up_held();
	dprintf(STDERR_FILENO, "podcap: not written: %s\n", strerrorname_np(error));
	end_capture();
}

static void tell_files(void)
{
	if (files.told == files.begun)
		return;
	dprintf(STDERR_FILENO, "podcap: file %lu after %lu packets, %lu of them pruned\n", files.begun, files.packets,
		files.pruned);
	files.told = files.begun;
	files.told_at = now();
}

/* Gives back how long it is until then, or -1. */
static int tell_files_when_due(void)
{
	if (files.told == files.begun)
		return -1;
	/* Until its own files fill the ring, each makes one go that an earlier capture left: the agent deletes that. */
	if (files.begun > ring.keep && ring.keep > 0) {
		struct timespec at = now();
		int64_t ms = ms_between(&files.told_at, &at);

		if (ms < TELL_EVERY_MS)
			return TELL_EVERY_MS - ms;
	}
	tell_files();
	return -1;
}

void write_everything(void)
{
	if (failed)
		return;
	if (has_lost_file())
		dprintf(STDERR_FILENO, "podcap: file deleted\n");

	bool written = write_ring();
	int error = errno;

	written_at = now();
	files.begun = ring.disk.begun;
	files.packets = ring.disk.packets;
	files.pruned = ring.disk.pruned;
	if (!written)
		fail(error);
	tell_files_when_due();
}

/* The agent writes a line with a number into standard input, at the start and when another one is wanted. */
static void read_how_many_to_keep(void)
{
	static bool closed;
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	char said[256];

	while (!closed && poll(&input, 1, 0) > 0) {
		ssize_t bytes = read(STDIN_FILENO, said, sizeof(said) - 1);

		closed = bytes == 0 || (bytes < 0 && errno != EINTR);
		for (char *line = said; bytes > 0 && line < said + bytes;) {
			said[bytes] = '\0';
			ring.keep = strtoul(line, &line, 10);
			line += strcspn(line, "\n") + 1;
		}
	}
}

/* Whether the files that are wanted can be held together, with the one that is being filled. */
static bool fits_into_memory(void)
{
	static const uint64_t most = HELD_MOST_BYTES - PIECE_BYTES;
	uint64_t bytes = ring.wanted == ring.newest ? 0 : ring.wanted->end - ring.wanted->begin;

	return ring.keep > 0 && bytes > 0 && bytes <= most && ring.keep <= most / bytes;
}

/*
 * How long what is held need not be written yet; 0 when it is to be written. A ring that was filled within a second
 * will be so again, and most of it would be deleted at once.
 */
static int ms_until_written(const struct timespec *at)
{
	if (ring.keep == 0 || ring.wanted_count < ring.keep || !fits_into_memory() ||
	    ms_between(&ring.wanted->begun_at, at) >= WRITE_EVERY_MS)
		return 0;

	int64_t since_ms = ms_between(&written_at, at);

	return since_ms >= WRITE_EVERY_MS ? 0 : WRITE_EVERY_MS - since_ms;
}

int write_before_sleep(void)
{
	int until_written = 0;

	if (held.first < held.end) {
		struct timespec at = now();

		until_written = ms_until_written(&at);
	}
	if (until_written == 0) {
		write_everything();
		release_held_memory();
	}

	int until_told = tell_files_when_due();

	if (until_written == 0 || (until_told >= 0 && until_told < until_written))
		return until_told;
	return until_written;
}

/* libpcap writes it: it knows how the kinds of link are numbered in files. */
static bool learn_file_header(pcap_t *handle)
{
	char header[64];
	FILE *stream = fmemopen(header, sizeof(header), "w");
	pcap_dumper_t *opened = stream == NULL ? NULL : real.dump_fopen(handle, stream);
	long bytes = 0;

	if (opened != NULL && fflush(stream) == 0)
		bytes = ftell(stream);
	if (bytes > 0)
		set_file_header(header, bytes);
	if (opened != NULL)
		real.dump_close(opened);
	else if (stream != NULL)
		fclose(stream);
	return bytes > 0;
}

/* The first file is there from the beginning; a later one when it is written. */
static void begin_first_file(pcap_t *handle, const char *path)
{
	struct timespec at = now();

	errno = ENOMEM;
	if (!learn_path(path) || !learn_file_header(handle) || !begin_ring_file(&at)) {
		fail(errno);
		return;
	}
	read_how_many_to_keep();
	write_everything();
}

static void begin_next_file(const char *path)
{
	struct timespec at = now();

	ring.newest->end = held.end;
	learn_path(path);
	read_how_many_to_keep();
	if (!begin_ring_file(&at)) {
		fail(ENOMEM);
		return;
	}
	forget_old_files();
	if (ms_between(&written_at, &at) >= WRITE_EVERY_MS)
		write_everything();
}

/*
 * The ring is pruned when a file is written: here, of the files of this capture, because whoever is not told does not
 * have to wake up; and by the agent, of what earlier captures left, which is told of each file until this one's fill
 * the ring. The count is what is gone when the file is: it costs an addition here, and reading the file otherwise.
 *
 * When the first file cannot be begun tcpdump ends with an error. With a later one it would end so as well, without
 * its statistics: it is told that all is well, and then to stop.
 */
pcap_dumper_t *pcap_dump_open(pcap_t *handle, const char *path)
{
	static bool any;
	bool is_first = !any;

	any = true;
	if (is_first)
		begin_first_file(handle, path);
	else if (!failed)
		begin_next_file(path);
	if (!failed || !is_first)
		return dumper;
	snprintf(real.geterr(handle), ERROR_BYTES, "%s: %s", path, strerror(failed)); /* tcpdump's last words */
	return NULL;
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
	if (record.captured_bytes > LARGEST_PACKET)
		fail(EMSGSIZE);
	if (!failed && !held_has_room(bytes))
		write_everything();
	if (failed) {
		in_no_file += 1;
		return;
	}
	hold(&record, sizeof(record));
	hold(packet, record.captured_bytes);
	ring.newest->packets += 1;
	if (held.end - held.first >= PIECE_BYTES && !(fits_into_memory() && may_hold_more()))
		write_everything();
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
	return failed ? 0 : file_header_bytes() + (int64_t)(held.end - ring.newest->begin);
}

/* tcpdump leaves its last file to exit(). */
void pcap_dump_close(pcap_dumper_t *user)
{
	(void)user;
}

__attribute__((destructor)) static void end(void)
{
	write_everything();
	tell_files();
	if (in_no_file > 0)
		dprintf(STDERR_FILENO, "podcap: %lu packets in no file\n", in_no_file);
}
