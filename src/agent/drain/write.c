/*
 * The capture files. tcpdump gives each packet to stdio and, with -U, to write() at once, and looks at the result of
 * neither: on a full disk it goes on for ever. Here records are gathered and written when the buffer is full, when
 * the file ends and before poll() sleeps: what -U promises, at a write for each block instead of each packet. What
 * cannot be written ends the capture, in order: every packet is in a file, or in a number that is told.
 *
 * That rests on tcpdump using of a dumper what is defined here and nothing else.
 */
#define _GNU_SOURCE
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
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "write.h"

enum {
	/* The largest packet that tcpdump can ask for (-s). */
	LARGEST_PACKET = 262144,
	/* From so many bytes on a packet is written from where it lies: gathering it costs more than a write. */
	LARGE_PACKET = 4096,
	/* The agent is told of new files so often at most: at 20 Gb/s there are 2,500 a second. */
	TELL_EVERY_MS = 20,
};

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
	pcap_dumper_t *(*dump_open)(pcap_t *, const char *);
	FILE *(*dump_file)(pcap_dumper_t *);
	void (*dump_close)(pcap_dumper_t *);
} real;

__attribute__((constructor)) static void find_real_functions(void)
{
	*(void **)&real.dump_open = dlsym(RTLD_NEXT, "pcap_dump_open");
	*(void **)&real.dump_file = dlsym(RTLD_NEXT, "pcap_dump_file");
	*(void **)&real.dump_close = dlsym(RTLD_NEXT, "pcap_dump_close");
}

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

/* The files of this capture: what the agent is told of them. */
static struct {
	unsigned long begun;
	unsigned long packets; /* in those that are closed */
	unsigned long pruned; /* packets of those that are deleted */
	unsigned long told; /* how many were begun when that was told last */
	struct timespec told_at;
} files;

/* Those that stand, oldest first. */
struct standing {
	struct standing *next;
	unsigned long packets;
	char path[];
};
static struct {
	struct standing *oldest, *newest;
	struct standing *written; /* the newest, or NULL when there was no memory for it: the agent deletes that one */
	unsigned long count;
	unsigned long keep; /* 0 until the agent has said how many */
} ring;

/* What tcpdump holds in its place: it hands it back and never looks inside. */
static pcap_dumper_t *const dumper = (pcap_dumper_t *)&file;

/* Ends the capture in order, so that its statistics are complete and every packet is counted somewhere. */
static void fail(int error)
{
	if (file.failed)
		return;
	file.failed = true;
	dprintf(STDERR_FILENO, "podcap: not written: %s\n", strerrorname_np(error));
	end_capture();
}

/* Writes two pieces, one behind the other. Gives back how many bytes were written: all, or errno tells why not. */
static size_t write_all(int fd, struct iovec pieces[2])
{
	size_t written = 0, length = pieces[0].iov_len + pieces[1].iov_len;

	errno = EIO; /* should writev() ever give 0 */
	while (written < length) {
		ssize_t now = writev(fd, pieces, 2);

		if (now > 0) {
			written += now;
			for (int i = 0; i < 2; i++) {
				size_t of_piece = (size_t)now < pieces[i].iov_len ? (size_t)now : pieces[i].iov_len;

				pieces[i].iov_base = (char *)pieces[i].iov_base + of_piece;
				pieces[i].iov_len -= of_piece;
				now -= of_piece;
			}
		} else if (now == 0 || errno != EINTR) {
			break;
		}
	}
	return written;
}

/*
 * The whole records at the beginning of what was to be written, up to `bytes`: gives back their bytes, and counts them.
 * Of the last one only the beginning may be gathered.
 */
static size_t whole_records(size_t bytes, unsigned long *packets)
{
	size_t whole = 0;
	struct record record;

	for (*packets = 0; whole + sizeof(record) <= bytes && whole < file.gathered_bytes; *packets += 1) {
		memcpy(&record, file.gathered + whole, sizeof(record));
		if (whole + sizeof(record) + record.captured_bytes > bytes)
			break;
		whole += sizeof(record) + record.captured_bytes;
	}
	return whole;
}

/* What is gathered, and the rest of the last record, which was not. */
static void write_with(const unsigned char *rest, size_t rest_bytes)
{
	size_t length = file.gathered_bytes + rest_bytes;
	struct iovec pieces[2] = {
		{.iov_base = file.gathered, .iov_len = file.gathered_bytes},
		{.iov_base = (void *)rest, .iov_len = rest_bytes},
	};
	size_t written = write_all(file.fd, pieces);

	if (written < length) {
		int error = errno;
		unsigned long packets;
		size_t whole = whole_records(written, &packets);

		file.size -= length - whole;
		file.packets -= file.gathered_packets - packets;
		file.in_no_file += file.gathered_packets - packets;
		/* Without its last, half record; if even that is refused, a reader leaves it out. */
		int refused = ftruncate(file.fd, file.size);
		(void)refused;
		fail(error);
	}
	file.gathered_bytes = 0;
	file.gathered_packets = 0;
}

void write_gathered(void)
{
	if (file.gathered_bytes > 0)
		write_with(NULL, 0);
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

static void add_to_ring(const char *path)
{
	struct standing *added = malloc(sizeof(struct standing) + strlen(path) + 1);

	ring.written = added;
	if (added == NULL)
		return;
	*added = (struct standing){0};
	strcpy(added->path, path);
	if (ring.oldest == NULL)
		ring.oldest = added;
	else
		ring.newest->next = added;
	ring.newest = added;
	ring.count += 1;
}

/* The agent prunes too, what earlier captures left: who deletes a file counts its packets. */
static void prune(void)
{
	while (ring.keep > 0 && ring.count > ring.keep) {
		struct standing *oldest = ring.oldest;

		if (unlink(oldest->path) == 0)
			files.pruned += oldest->packets;
		ring.oldest = oldest->next;
		ring.count -= 1;
		free(oldest);
	}
}

static void tell_files(void)
{
	if (files.told == files.begun)
		return;
	dprintf(STDERR_FILENO, "podcap: file %lu after %lu packets, %lu of them pruned\n", files.begun, files.packets,
		files.pruned);
	files.told = files.begun;
	clock_gettime(CLOCK_MONOTONIC, &files.told_at);
}

int tell_files_when_due(void)
{
	struct timespec now;

	if (files.told == files.begun)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t ms = (now.tv_sec - files.told_at.tv_sec) * 1000 + (now.tv_nsec - files.told_at.tv_nsec) / 1000000;

	if (ms < TELL_EVERY_MS)
		return TELL_EVERY_MS - ms;
	tell_files();
	return -1;
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

static void end_of_file(void)
{
	files.packets += file.packets;
	if (ring.written != NULL)
		ring.written->packets = file.packets;
	file.packets = 0;
}

static void next_file(const char *path)
{
	files.begun += 1;
	add_to_ring(path);
	read_how_many_to_keep();
	prune();
	if (files.begun <= ring.keep || ring.keep == 0)
		tell_files();
	else
		tell_files_when_due();
}

/*
 * The ring is pruned when a file appears: here, of the files of this capture, because whoever is not told does not
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
	pcap_dumper_t *opened = real.dump_open(handle, path);
	bool begun = opened != NULL && begin_file(opened, path);

	any = true;
	if (!begun)
		fail(errno);
	end_of_file();
	if (begun)
		next_file(path);
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
	file.gathered_bytes += sizeof(record);
	file.gathered_packets += 1;
	file.size += bytes;
	file.packets += 1;
	if (record.captured_bytes >= LARGE_PACKET) {
		write_with(packet, record.captured_bytes);
	} else {
		memcpy(file.gathered + file.gathered_bytes, packet, record.captured_bytes);
		file.gathered_bytes += record.captured_bytes;
	}
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
	tell_files();
	if (file.in_no_file > 0)
		dprintf(STDERR_FILENO, "podcap: %lu packets in no file\n", file.in_no_file);
}
