#define _GNU_SOURCE
#include "write-buffer.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	/* A file whose bytes are slots, which the agent opens for all its captures (capture/write-buffer-slots.ts). */
	SLOTS_FD = 3,
	NO_SLOT = -1,
};

struct held held;

/* Memory that was never written to takes no room: while little is held at a time, only its beginning does. */
static unsigned char memory[HELD_MOST_BYTES] __attribute__((aligned(1 << 16)));
static uint64_t origin; /* the position that lies at the beginning of the memory */
static size_t touched; /* how much of it was written to */

static size_t offset_of(uint64_t position)
{
	return (position - origin) % HELD_MOST_BYTES;
}

bool held_has_room(size_t bytes)
{
	return held.end - held.first + bytes <= HELD_MOST_BYTES;
}

void held_pieces(uint64_t from, uint64_t to, struct iovec pieces[2])
{
	size_t offset = offset_of(from), bytes = to - from;
	size_t until_end = HELD_MOST_BYTES - offset;
	size_t in_first = bytes < until_end ? bytes : until_end;

	pieces[0] = (struct iovec){.iov_base = memory + offset, .iov_len = in_first};
	pieces[1] = (struct iovec){.iov_base = memory, .iov_len = bytes - in_first};
}

void hold(const void *data, size_t bytes)
{
	struct iovec pieces[2];

	if (bytes == 0)
		return;
	held_pieces(held.end, held.end + bytes, pieces);
	memcpy(pieces[0].iov_base, data, pieces[0].iov_len);
	memcpy(pieces[1].iov_base, (const char *)data + pieces[0].iov_len, pieces[1].iov_len);
	held.end += bytes;

	size_t reached = pieces[1].iov_len > 0 ? HELD_MOST_BYTES : offset_of(held.end - 1) + 1;

	if (touched < reached)
		touched = reached;
}

void forget_held(uint64_t position)
{
	if (held.first < position)
		held.first = position;
	if (held.first == held.end)
		origin = held.end;
}

void copy_held(uint64_t from, void *to, size_t bytes)
{
	struct iovec pieces[2];

	held_pieces(from, from + bytes, pieces);
	memcpy(to, pieces[0].iov_base, pieces[0].iov_len);
	memcpy((char *)to + pieces[0].iov_len, pieces[1].iov_base, pieces[1].iov_len);
}

static off_t slot = NO_SLOT;

static bool lock_slot(off_t which, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = which, .l_len = 1};

	return fcntl(SLOTS_FD, F_SETLK, &lock) == 0;
}

/* Who has locked a slot has it. The kernel takes it back from a process that ends, however it ends. */
bool may_hold_more(void)
{
	struct stat slots;

	if (slot == NO_SLOT && fstat(SLOTS_FD, &slots) == 0)
		for (off_t each = 0; each < slots.st_size && slot == NO_SLOT; each++)
			if (lock_slot(each, F_WRLCK))
				slot = each;
	return slot != NO_SLOT;
}

void release_held_memory(void)
{
	if (touched > PIECE_BYTES) {
		madvise(memory + PIECE_BYTES, HELD_MOST_BYTES - PIECE_BYTES, MADV_DONTNEED);
		touched = PIECE_BYTES;
	}
	if (slot != NO_SLOT)
		lock_slot(slot, F_UNLCK);
	slot = NO_SLOT;
}
