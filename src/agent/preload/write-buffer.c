#define _GNU_SOURCE
#include "write-buffer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	/* A file whose bytes are slots. The agent opens it for all its captures (capture/write-buffer-slots.ts). */
	SLOTS_FD = 3,
	/* A compromised tcpdump can make that file longer: the agent never has more slots (agent.ts). */
	MAX_SLOTS = 16,
	NO_SLOT = -1,
};

struct write_buffer buffer;

/* A page that was never written to takes no memory: while little is buffered at a time, only the first ones do. */
static unsigned char memory[BUFFER_MAX_BYTES] __attribute__((aligned(1 << 16)));
static uint64_t origin; /* the position at the beginning of the memory */
static size_t touched_bytes; /* how much of the memory has been written to */

static size_t offset_of(uint64_t position)
{
	return (position - origin) % BUFFER_MAX_BYTES;
}

bool buffer_has_space(size_t bytes)
{
	return buffer.end - buffer.start + bytes <= BUFFER_MAX_BYTES;
}

void buffer_segments(uint64_t from, uint64_t to, struct iovec segments[2])
{
	size_t offset = offset_of(from), bytes = to - from;
	size_t until_end = BUFFER_MAX_BYTES - offset;
	size_t in_first = bytes < until_end ? bytes : until_end;

	segments[0] = (struct iovec){.iov_base = memory + offset, .iov_len = in_first};
	segments[1] = (struct iovec){.iov_base = memory, .iov_len = bytes - in_first};
}

void buffer_append(const void *data, size_t bytes)
{
	struct iovec segments[2];

	if (bytes == 0)
		return;
	buffer_segments(buffer.end, buffer.end + bytes, segments);
	memcpy(segments[0].iov_base, data, segments[0].iov_len);
	memcpy(segments[1].iov_base, (const char *)data + segments[0].iov_len, segments[1].iov_len);
	buffer.end += bytes;

	size_t reached = segments[1].iov_len > 0 ? BUFFER_MAX_BYTES : offset_of(buffer.end - 1) + 1;

	if (touched_bytes < reached)
		touched_bytes = reached;
}

void buffer_discard(uint64_t position)
{
	if (buffer.start < position)
		buffer.start = position;
	if (buffer.start == buffer.end)
		origin = buffer.end;
}

void buffer_copy(uint64_t from, void *to, size_t bytes)
{
	struct iovec segments[2];

	buffer_segments(from, from + bytes, segments);
	memcpy(to, segments[0].iov_base, segments[0].iov_len);
	memcpy((char *)to + segments[0].iov_len, segments[1].iov_base, segments[1].iov_len);
}

static off_t slot = NO_SLOT;

static bool lock_slot(off_t index, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = index, .l_len = 1};

	return fcntl(SLOTS_FD, F_SETLK, &lock) == 0;
}

/* The process that has locked a slot has it. The kernel takes it back from a process that ends, however it ends. */
bool buffer_may_grow(void)
{
	struct stat slots;

	if (slot == NO_SLOT && fstat(SLOTS_FD, &slots) == 0)
		for (off_t index = 0; index < slots.st_size && index < MAX_SLOTS && slot == NO_SLOT; index++)
			if (lock_slot(index, F_WRLCK))
				slot = index;
	return slot != NO_SLOT;
}

void buffer_shrink(void)
{
	if (touched_bytes > BUFFER_BASE_BYTES) {
		madvise(memory + BUFFER_BASE_BYTES, BUFFER_MAX_BYTES - BUFFER_BASE_BYTES, MADV_DONTNEED);
		touched_bytes = BUFFER_BASE_BYTES;
	}
	if (slot != NO_SLOT)
		(void)lock_slot(slot, F_UNLCK);
	slot = NO_SLOT;
}
