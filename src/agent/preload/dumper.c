/*
 * The path of a packet from tcpdump into the capture files. tcpdump passes each packet to stdio and, with -U, to write()
 * at once, and checks neither: on a full disk it never stops. Here records are buffered in memory (write-buffer.c)
 * and written into the ring's files (ring.c) when there is nothing more to read. What cannot be written stops the
 * capture, in order: every packet is in a file, or in a count that is reported.
 *
 *   pcap_dump() --> write buffer --> ring_write(): before poll() sleeps, or a second later, see ms_until_write()
 *                        |
 *                        +---------> discarded: the ring would have deleted it before it was a second old
 *
 * This relies on tcpdump using the functions of a dumper that are defined here, and no others.
 */
#define _GNU_SOURCE
#include "dumper.h"

#include "files-to-keep.h"
#include "pcap-record.h"
#include "preload.h"
#include "receive-ring.h"
#include "ring.h"
#include "stop.h"
#include "write-buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
	/* How often a ring is written that fills faster than that. */
	WRITE_INTERVAL_MS = 1000,
	/* The agent gets a report of new files at most this often. */
	REPORT_INTERVAL_MS = 20,
	/* An agent that reads no reports is looked at this often. */
	UNREAD_INTERVAL_MS = 1000,
	/* The largest packet that tcpdump can request (-s). */
	MAX_PACKET_BYTES = 262144,
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
	find_real(&real.dump_fopen, "pcap_dump_fopen");
	find_real(&real.dump_close, "pcap_dump_close");
	find_real(&real.geterr, "pcap_geterr");
}

static int write_error; /* why nothing is written any more, an errno; 0 while writing works */
static unsigned long packets_in_no_file;
static struct timespec written_at;

/* The report for the agent: the files as they were when they were written last. */
static struct {
	unsigned long files, packets, pruned;
	unsigned long reported_files, reported_pruned; /* in the last report */
	struct timespec reported_at;
} report;

/* What tcpdump gets in place of a dumper: it passes it back and never looks inside. */
static pcap_dumper_t *const dumper = (pcap_dumper_t *)&report;

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

/* Stops the capture in order, so that its statistics are complete and every packet is counted somewhere. */
static void fail(int error)
{
	if (write_error)
		return;
	write_error = error;
	packets_in_no_file += ring_abandon_buffer();
	dprintf(STDERR_FILENO, "podcap: not written: %s\n", strerrorname_np(error));
	stop_capture();
}

static bool is_reported(void)
{
	return report.reported_files == report.files && report.reported_pruned == report.pruned;
}

static void report_files(void)
{
	if (is_reported())
		return;
	dprintf(STDERR_FILENO, "podcap: file %lu after %lu packets, %lu of them pruned\n", report.files, report.packets,
		report.pruned);
	report.reported_files = report.files;
	report.reported_pruned = report.pruned;
	report.reported_at = now();
}

/*
 * Whether the agent reads what is reported. While it does not, because it is stopped for example, the pipe must not
 * fill up: a write would wait for the agent, and nothing would be captured meanwhile. The other half of the pipe is for
 * reports that cannot be repeated.
 */
static bool are_reports_read(void)
{
	int pipe_bytes = fcntl(STDERR_FILENO, F_GETPIPE_SZ);
	int unread_bytes;

	return pipe_bytes < 0 || ioctl(STDERR_FILENO, FIONREAD, &unread_bytes) < 0 || unread_bytes <= pipe_bytes / 2;
}

/* Returns in how many milliseconds the report is due, or -1 when there is nothing to report. */
static int report_files_when_due(void)
{
	if (is_reported())
		return -1;
	/* Until this capture's files fill the ring, the agent deletes one of an earlier capture for each of them. */
	if (report.files > ring.keep) {
		struct timespec at = now();
		int64_t ms = ms_between(&report.reported_at, &at);

		if (ms < REPORT_INTERVAL_MS)
			return REPORT_INTERVAL_MS - ms;
	}
	if (!are_reports_read())
		return UNREAD_INTERVAL_MS;
	report_files();
	return -1;
}

void write_everything(void)
{
	if (write_error)
		return;
	if (are_reports_read() && ring_notices_deletion())
		dprintf(STDERR_FILENO, "podcap: file deleted\n");

	bool written = ring_write();
	int error = errno;

	written_at = now();
	report.files = ring.disk.files;
	report.packets = ring.disk.packets;
	report.pruned = ring.disk.pruned;
	if (!written)
		fail(error);
	report_files_when_due();
}

/* Whether all files that are kept can be buffered, together with the one that is being filled. */
static bool fits_into_buffer(void)
{
	static const uint64_t most = BUFFER_MAX_BYTES - BUFFER_BASE_BYTES;
	uint64_t bytes = ring.oldest_kept == ring.newest ? 0 : ring.oldest_kept->end - ring.oldest_kept->start;

	return ring.keep > 0 && bytes > 0 && bytes <= most && ring.keep <= most / bytes;
}

/*
 * How long what is buffered need not be written yet; 0 when it must be now. A ring that was filled within a second will
 * be filled again so fast, and most of it would be deleted at once.
 */
static int ms_until_write(const struct timespec *at)
{
	if (ring.keep == 0 || ring.kept_count < ring.keep || !fits_into_buffer() ||
	    ms_between(&ring.oldest_kept->started_at, at) >= WRITE_INTERVAL_MS)
		return 0;

	int64_t since_ms = ms_between(&written_at, at);

	return since_ms >= WRITE_INTERVAL_MS ? 0 : WRITE_INTERVAL_MS - since_ms;
}

int write_before_sleep(void)
{
	int until_write = 0;

	if (buffer.start < buffer.end) {
		struct timespec at = now();

		until_write = ms_until_write(&at);
	}
	if (until_write == 0) {
		write_everything();
		buffer_shrink();
	}

	int until_report = report_files_when_due();

	if (until_write == 0 || (until_report >= 0 && until_report < until_write))
		return until_report;
	return until_write;
}

/* Deletes before it writes: the disk may be full. */
void take_files_to_keep(void)
{
	unsigned long pruned = ring.disk.pruned;

	if (!read_files_to_keep(&ring.keep) || write_error)
		return;
	ring_discard_old_files();
	ring_delete_old_files();
	if (ring.disk.pruned > pruned)
		write_everything();
	dprintf(STDERR_FILENO, "podcap: keeps %lu\n", ring.keep);
}

/* libpcap writes the header: it knows the numbers of the link types in files. */
static bool set_file_header(pcap_t *handle)
{
	char header[64];
	FILE *stream = fmemopen(header, sizeof(header), "w");
	pcap_dumper_t *opened = stream == NULL ? NULL : real.dump_fopen(handle, stream);
	long bytes = 0;

	if (opened != NULL && fflush(stream) == 0)
		bytes = ftell(stream);
	if (bytes > 0)
		ring_set_file_header(header, bytes);
	if (opened != NULL)
		real.dump_close(opened);
	else if (stream != NULL)
		fclose(stream);
	return bytes > 0;
}

/* The first file is created at once; a later one when it is written. */
static void start_first_file(pcap_t *handle, const char *path)
{
	struct timespec at = now();

	errno = ENOMEM;
	if (!ring_add_path(path) || !set_file_header(handle) || !ring_start_file(&at)) {
		fail(errno);
		return;
	}
	take_files_to_keep();
	write_everything();
}

static void start_next_file(const char *path)
{
	struct timespec at = now();

	if (!ring_add_path(path)) {
		fail(ENOMEM);
		return;
	}
	take_files_to_keep();
	if (write_error)
		return;
	if (!ring_start_file(&at)) {
		fail(ENOMEM);
		return;
	}
	ring_discard_old_files();
	if (ms_between(&written_at, &at) >= WRITE_INTERVAL_MS)
		write_everything();
}

/*
 * The ring is pruned when a file is written. The library prunes the files of this capture, so that the agent need not
 * wake up. The agent prunes what earlier captures left: it gets a report of each file until this capture's fill the
 * ring. The count of packets is what would be lost with the file: it costs an addition here, and reading the file
 * otherwise.
 *
 * When the first file cannot be created, tcpdump ends with an error. With a later one it would end in the same way,
 * without its statistics: so it gets a dumper, and then the order to stop.
 */
pcap_dumper_t *pcap_dump_open(pcap_t *handle, const char *path)
{
	static bool has_first;
	bool is_first = !has_first;

	has_first = true;
	if (is_first)
		start_first_file(handle, path);
	else if (!write_error)
		start_next_file(path);
	if (!write_error || !is_first)
		return dumper;
	/* tcpdump's last words */
	snprintf(real.geterr(handle), ERROR_BYTES, "%s: %s", path, strerror(write_error));
	return NULL;
}

void pcap_dump(unsigned char *user, const struct pcap_pkthdr *header, const unsigned char *packet)
{
	struct pcap_record_header record = {
		.seconds = header->time.tv_sec,
		.fraction = header->time.tv_usec,
		.captured_bytes = header->captured_bytes,
		.bytes = header->bytes,
	};
	size_t bytes = sizeof(record) + record.captured_bytes;

	(void)user;
	count_received_bytes(bytes);
	if (record.captured_bytes > MAX_PACKET_BYTES)
		fail(EMSGSIZE);
	if (!write_error && !buffer_has_space(bytes))
		write_everything();
	if (write_error) {
		packets_in_no_file += 1;
		return;
	}
	buffer_append(&record, sizeof(record));
	buffer_append(packet, record.captured_bytes);
	ring.newest->packets += 1;
	if (buffer.end - buffer.start >= BUFFER_BASE_BYTES && !(fits_into_buffer() && buffer_may_grow()))
		write_everything();
}

/* -U asks for this after each packet; poll() does it before it sleeps. */
int pcap_dump_flush(pcap_dumper_t *user)
{
	(void)user;
	return 0;
}

/* -C compares this with the size at which the next file starts: after a failure none does. */
int64_t pcap_dump_ftell64(pcap_dumper_t *user)
{
	(void)user;
	return write_error ? 0 : ring_file_header_bytes() + (int64_t)(buffer.end - ring.newest->start);
}

/* tcpdump leaves its last file to exit(). */
void pcap_dump_close(pcap_dumper_t *user)
{
	(void)user;
}

__attribute__((destructor)) static void finish(void)
{
	write_everything();
	report_files();
	if (packets_in_no_file > 0)
		dprintf(STDERR_FILENO, "podcap: %lu packets in no file\n", packets_in_no_file);
}
