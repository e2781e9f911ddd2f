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
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include "write.h"

enum {
	/* The largest packet that tcpdump can ask for (-s). */
	LARGEST_PACKET = 262144,
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

/* Gives back how many bytes were written: all, or errno tells why not. */
static size_t write_all(int fd, const unsigned char *bytes, size_t length)
{
	size_t written = 0;

	errno = EIO; /* should write() ever give 0 */
	while (written < length) {
		ssize_t now = write(fd, bytes + written, length - written);

		if (now > 0)
			written += now;
		else if (now == 0 || errno != EINTR)
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

void write_gathered(void)
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
		int refused = ftruncate(file.fd, file.size);
		(void)refused;
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
 * which is every block here; polling finds out late or wakes for nothing. The count is what is gone when the file
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
