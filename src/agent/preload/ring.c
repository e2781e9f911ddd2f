#define _GNU_SOURCE
#include "ring.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "write-buffer.h"
#include "pcap-record.h"

struct ring ring;

/* For example "captures-web.1.pcap" and the four digits of "…0000". tcpdump has as many as -W needs, or none without -W. */
static struct {
	char *first;
	size_t base_bytes;
	int digits;
	unsigned long given;
	unsigned long wrap; /* how many there are; 0 until tcpdump has come round */
} paths;

static struct {
	unsigned char bytes[64];
	unsigned int length;
} header;

/* The newest on the disk, while it is not complete. */
static struct {
	struct ring_file *of;
	int fd;
} open_file = {.fd = -1};

bool learn_path(const char *path)
{
	if (paths.first == NULL) {
		paths.first = strdup(path);
		paths.base_bytes = strlen(path);
		while (paths.base_bytes > 0 && path[paths.base_bytes - 1] == '0')
			paths.base_bytes -= 1;
		paths.digits = strlen(path) - paths.base_bytes;
	} else if (paths.wrap == 0 && strcmp(path, paths.first) == 0) {
		paths.wrap = paths.given;
	}
	paths.given += 1;
	return paths.first != NULL;
}

static void path_of(unsigned long number, char *path, size_t bytes)
{
	unsigned long index = paths.wrap > 0 ? (number - 1) % paths.wrap : number - 1;

	if (index == 0)
		snprintf(path, bytes, "%s", paths.first);
	else
		snprintf(path, bytes, "%.*s%0*lu", (int)paths.base_bytes, paths.first, paths.digits, index);
}

void set_file_header(const void *bytes, unsigned int length)
{
	header.length = length < sizeof(header.bytes) ? length : sizeof(header.bytes);
	memcpy(header.bytes, bytes, header.length);
}

unsigned int file_header_bytes(void)
{
	return header.length;
}

bool begin_ring_file(const struct timespec *now)
{
	struct ring_file *begun = calloc(1, sizeof(*begun));

	if (begun == NULL)
		return false;
	begun->begun_at = *now;
	begun->begin = begun->written = held.end;
	if (ring.newest != NULL) {
		begun->packets_before = ring.newest->packets_before + ring.newest->packets;
		ring.newest->next = begun;
	}
	if (ring.oldest == NULL)
		ring.oldest = begun;
	if (ring.wanted == NULL)
		ring.wanted = begun;
	ring.newest = begun;
	ring.wanted_count += 1;
	return true;
}

static void close_file(void)
{
	if (open_file.fd >= 0)
		close(open_file.fd);
	open_file.fd = -1;
	open_file.of = NULL;
}

static bool has_hole; /* packets were forgotten since the files were written last */

/* What stands on the disk stays until write_ring(): a tcpdump that is killed leaves the last files that it wrote. */
void forget_old_files(void)
{
	while (ring.keep > 0 && ring.wanted_count > ring.keep) {
		struct ring_file *old = ring.wanted;

		ring.disk.pruned += old->packets - old->packets_written;
		has_hole = has_hole || old->packets > old->packets_written;
		forget_held(old->end);
		ring.wanted = old->next;
		ring.wanted_count -= 1;
	}
}

/* The agent prunes too, what earlier captures left: who deletes a file counts its packets. */
static void delete_old_files(void)
{
	char path[PATH_MAX];

	while (ring.oldest != ring.wanted) {
		struct ring_file *old = ring.oldest;

		if (open_file.of == old)
			close_file();
		if (old->number > 0) {
			path_of(old->number, path, sizeof(path));
			if (unlink(path) == 0)
				ring.disk.pruned += old->packets_written;
		}
		ring.oldest = old->next;
		free(old);
	}
}

/* Writes pieces, one behind the other. Gives back how many bytes were written: all, or errno tells why not. */
static size_t write_all(int fd, struct iovec *pieces, int count)
{
	size_t written = 0, length = 0;

	for (int i = 0; i < count; i++)
		length += pieces[i].iov_len;
	errno = EIO; /* should writev() ever give 0 */
	while (written < length) {
		ssize_t now = writev(fd, pieces, count);

		if (now > 0) {
			written += now;
			for (int i = 0; i < count; i++) {
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

/* False, and errno tells why; nothing is left of the file then. */
static bool begin_on_disk(struct ring_file *file)
{
	char path[PATH_MAX];
	struct iovec pieces[] = {{.iov_base = header.bytes, .iov_len = header.length}};

	path_of(ring.disk.begun + 1, path, sizeof(path));
	close_file();

	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (fd < 0)
		return false;
	if (write_all(fd, pieces, 1) < header.length) {
		int error = errno;

		close(fd);
		unlink(path);
		errno = error;
		return false;
	}
	open_file.fd = fd;
	open_file.of = file;
	ring.disk.begun += 1;
	ring.disk.packets = file->packets_before;
	file->number = ring.disk.begun;
	return true;
}

/* How many bytes the whole records have that begin at that position and end before another one; counts them. */
static size_t whole_records(uint64_t from, uint64_t to, unsigned long *packets)
{
	uint64_t at = from;
	struct record record;

	for (*packets = 0; at + sizeof(record) <= to; *packets += 1) {
		copy_held(at, &record, sizeof(record));
		if (at + sizeof(record) + record.captured_bytes > to)
			break;
		at += sizeof(record) + record.captured_bytes;
	}
	return at - from;
}

/* Appends what is held of it. */
static bool write_file(struct ring_file *file)
{
	uint64_t end = file == ring.newest ? held.end : file->end;
	struct iovec pieces[2];

	held_pieces(file->written, end, pieces);

	size_t written = write_all(open_file.fd, pieces, 2);

	if (written < end - file->written) {
		int error = errno;
		unsigned long packets;

		written = whole_records(file->written, file->written + written, &packets);
		file->written += written;
		file->packets_written += packets;
		/* Without its last, half record; if even that is refused, a reader leaves it out. */
		int refused = ftruncate(open_file.fd, header.length + (file->written - file->begin));
		(void)refused;
		errno = error;
		return false;
	}
	file->written = end;
	file->packets_written = file->packets;
	return true;
}

/*
 * An old file goes when the next one is begun: where that fails, it stays. After a hole all old ones go before: what
 * stands is an unbroken run at every moment.
 */
bool write_ring(void)
{
	if (has_hole)
		delete_old_files();
	has_hole = false;
	/* Those before the newest on the disk are complete. */
	for (struct ring_file *file = open_file.of != NULL ? open_file.of : ring.wanted; file != NULL; file = file->next) {
		if (file->number == 0) {
			if (!begin_on_disk(file))
				return false;
			delete_old_files();
		}
		if (!write_file(file))
			return false;
		forget_held(file->written);
	}
	return true;
}

unsigned long give_up_held(void)
{
	unsigned long packets = 0;

	for (struct ring_file *file = ring.wanted; file != NULL; file = file->next)
		packets += file->packets - file->packets_written;
	forget_held(held.end);
	return packets;
}

bool has_lost_file(void)
{
	static unsigned long told;
	struct stat now;

	if (open_file.fd < 0 || open_file.of->number == told || fstat(open_file.fd, &now) != 0 || now.st_nlink > 0)
		return false;
	told = open_file.of->number;
	return true;
}
