#define _GNU_SOURCE
#include "ring.h"

#include "pcap-record.h"
#include "write-buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct ring ring;

/*
 * tcpdump's first path is for example "captres-web.1.pcap000000000", with as many digits as -W needs, or none without -W.
 * The others count up from it.
 */
static struct {
	char *first;
	size_t base_bytes; /* without the digits */
	int digits;
	unsigned long count; /* how many tcpdump has chosen */
	unsigned long wrap_after; /* this many paths; 0 until tcpdump has started over */
} paths;

static struct {
	unsigned char bytes[64];
	unsigned int length;
} header;

/* The newest file on the disk, while it is not complete. */
static struct {
	struct ring_file *file;
	int fd;
} open_file = {.fd = -1};

bool ring_add_path(const char *path)
{
	if (paths.first == NULL) {
		paths.first = strdup(path);
		paths.base_bytes = strlen(path);
		while (paths.base_bytes > 0 && path[paths.base_bytes - 1] == '0')
			paths.base_bytes -= 1;
		paths.digits = strlen(path) - paths.base_bytes;
	} else if (paths.wrap_after == 0 && strcmp(path, paths.first) == 0) {
		paths.wrap_after = paths.count;
	}
	paths.count += 1;
	return paths.first != NULL;
}

static void path_of(unsigned long number, char *path, size_t bytes)
{
	unsigned long index = paths.wrap_after > 0 ? (number - 1) % paths.wrap_after : number - 1;

	if (index == 0)
		snprintf(path, bytes, "%s", paths.first);
	else
		snprintf(path, bytes, "%.*s%0*lu", (int)paths.base_bytes, paths.first, paths.digits, index);
}

void ring_set_file_header(const void *bytes, unsigned int length)
{
	header.length = length < sizeof(header.bytes) ? length : sizeof(header.bytes);
	memcpy(header.bytes, bytes, header.length);
}

unsigned int ring_file_header_bytes(void)
{
	return header.length;
}

bool ring_start_file(const struct timespec *now)
{
	struct ring_file *file = calloc(1, sizeof(*file));

	if (file == NULL)
		return false;
	file->started_at = *now;
	file->start = file->written = buffer.end;
	if (ring.newest != NULL) {
		ring.newest->end = buffer.end;
		file->packets_before = ring.newest->packets_before + ring.newest->packets;
		ring.newest->next = file;
	}
	if (ring.oldest == NULL)
		ring.oldest = file;
	if (ring.oldest_kept == NULL)
		ring.oldest_kept = file;
	ring.newest = file;
	ring.kept_count += 1;
	return true;
}

static void close_file(void)
{
	if (open_file.fd >= 0)
		close(open_file.fd);
	open_file.fd = -1;
	open_file.file = NULL;
}

static bool has_hole; /* packets were discarded since the files were written last */

/* What is on the disk stays until ring_write(): a tcpdump that is killed leaves the last files that it wrote. */
void ring_discard_old_files(void)
{
	while (ring.keep > 0 && ring.kept_count > ring.keep) {
		struct ring_file *old = ring.oldest_kept;

		ring.disk.pruned += old->packets - old->packets_written;
		has_hole = has_hole || old->packets > old->packets_written;
		buffer_discard(old->end);
		ring.oldest_kept = old->next;
		ring.kept_count -= 1;
	}
}

/* The agent prunes too, what earlier captures left. The one that deletes a file counts its packets. */
void ring_delete_old_files(void)
{
	char path[PATH_MAX];

	while (ring.oldest != NULL && ring.oldest != ring.oldest_kept) {
		struct ring_file *old = ring.oldest;

		if (open_file.file == old)
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

/* Writes segments one after the other. Returns how many bytes were written: if not all, errno has the reason. */
static size_t write_all(int fd, struct iovec *segments, int count)
{
	size_t written = 0, length = 0;

	for (int i = 0; i < count; i++)
		length += segments[i].iov_len;
	errno = EIO; /* should writev() ever return 0 */
	while (written < length) {
		ssize_t taken = writev(fd, segments, count);

		if (taken > 0) {
			written += taken;
			for (int i = 0; i < count; i++) {
				size_t of_segment =
					(size_t)taken < segments[i].iov_len ? (size_t)taken : segments[i].iov_len;

				segments[i].iov_base = (char *)segments[i].iov_base + of_segment;
				segments[i].iov_len -= of_segment;
				taken -= of_segment;
			}
		} else if (taken == 0 || errno != EINTR) {
			break;
		}
	}
	return written;
}

/*
 * Whatever has the path is replaced, not opened: a compromised tcpdump can make a link there, or a pipe, which would be
 * waited for.
 */
static int open_new(const char *path)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
	int fd = open(path, flags, 0666);

	if (fd < 0 && errno == EEXIST && unlink(path) == 0)
		fd = open(path, flags, 0666);
	return fd;
}

/* Creates the file, with its header. Returns false, and sets errno; then nothing is left of the file. */
static bool create_on_disk(struct ring_file *file)
{
	char path[PATH_MAX];
	struct iovec segments[] = {{.iov_base = header.bytes, .iov_len = header.length}};

	path_of(ring.disk.files + 1, path, sizeof(path));
	close_file();

	int fd = open_new(path);

	if (fd < 0)
		return false;
	if (write_all(fd, segments, 1) < header.length) {
		int error = errno;

		close(fd);
		unlink(path);
		errno = error;
		return false;
	}
	open_file.fd = fd;
	open_file.file = file;
	ring.disk.files += 1;
	ring.disk.packets = file->packets_before;
	file->number = ring.disk.files;
	return true;
}

/* Returns how many bytes the complete records between two positions have, and counts them. */
static size_t complete_records(uint64_t from, uint64_t to, unsigned long *packets)
{
	uint64_t position = from;
	struct pcap_record_header record;

	for (*packets = 0; position + sizeof(record) <= to; *packets += 1) {
		buffer_copy(position, &record, sizeof(record));
		if (position + sizeof(record) + record.captured_bytes > to)
			break;
		position += sizeof(record) + record.captured_bytes;
	}
	return position - from;
}

/* Appends what is buffered of the file. Returns false, and sets errno; then the file ends with a complete record. */
static bool append_to_disk(struct ring_file *file)
{
	uint64_t end = file == ring.newest ? buffer.end : file->end;
	struct iovec segments[2];

	buffer_segments(file->written, end, segments);

	size_t written = write_all(open_file.fd, segments, 2);

	if (written < end - file->written) {
		int error = errno;
		unsigned long packets;

		written = complete_records(file->written, file->written + written, &packets);
		file->written += written;
		file->packets_written += packets;
		/* If even this is refused, readers leave out the last, incomplete record. */
		int refused = ftruncate(open_file.fd, header.length + (file->written - file->start));
		(void)refused;
		errno = error;
		return false;
	}
	file->written = end;
	file->packets_written = file->packets;
	return true;
}

/*
 * An old file is deleted when the next one has been created: where that fails, the old one stays. After a hole all old
 * files are deleted first: the files hold an unbroken run of packets at every moment.
 */
bool ring_write(void)
{
	if (has_hole)
		ring_delete_old_files();
	has_hole = false;
	/* The files before the newest on the disk are complete. */
	for (struct ring_file *file = open_file.file != NULL ? open_file.file : ring.oldest_kept; file != NULL;
	     file = file->next) {
		if (file->number == 0) {
			if (!create_on_disk(file))
				return false;
			ring_delete_old_files();
		}
		if (!append_to_disk(file))
			return false;
		buffer_discard(file->written);
	}
	return true;
}

unsigned long ring_abandon_buffer(void)
{
	unsigned long packets = 0;

	for (struct ring_file *file = ring.oldest_kept; file != NULL; file = file->next)
		packets += file->packets - file->packets_written;
	buffer_discard(buffer.end);
	return packets;
}

bool ring_notices_deletion(void)
{
	static unsigned long noticed;
	struct stat now;

	if (open_file.fd < 0 || open_file.file->number == noticed || fstat(open_file.fd, &now) != 0 || now.st_nlink > 0)
		return false;
	noticed = open_file.file->number;
	return true;
}
