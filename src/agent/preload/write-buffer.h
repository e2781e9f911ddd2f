#ifndef PODCAP_WRITE_BUFFER_H
#define PODCAP_WRITE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#pragma GCC visibility push(hidden)

enum {
	BUFFER_MAX_BYTES = 16 << 20,
	/* What every capture may buffer: enough to be worth a write, because ext4 is slower with a page at a time. */
	BUFFER_BASE_BYTES = 1 << 20,
};

/*
 * What is captured and not written yet: a queue of bytes in memory. Each byte that this capture ever had has a
 * position; those from `start` up to, but without, `end` are buffered.
 */
extern struct write_buffer {
	uint64_t start, end;
} buffer;

bool buffer_has_space(size_t bytes);

/* Appends data for which there is space. */
void buffer_append(const void *data, size_t bytes);

/* Discards what is before that position. */
void buffer_discard(uint64_t position);

/* Sets the segments in which the bytes from one position up to another lie: one, and an empty one, or two. */
void buffer_segments(uint64_t from, uint64_t to, struct iovec segments[2]);

void buffer_copy(uint64_t from, void *to, size_t bytes);

/*
 * Whether more than BUFFER_BASE_BYTES may be buffered: the agent's captures share a limited number of slots for that,
 * and this takes one if it can.
 */
bool buffer_may_grow(void);

/* Returns memory that was needed for a short time to the system, and the slot. Nothing may be buffered. */
void buffer_shrink(void);

#pragma GCC visibility pop

#endif
