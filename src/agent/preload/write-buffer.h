#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#pragma GCC visibility push(hidden)

/*
 * What is captured and not written yet: a queue of bytes in memory. Each byte that this capture ever had has a
 * position; those from `first` up to `end`, without it, are held.
 */
struct held {
	uint64_t first, end;
};

enum {
	HELD_MOST_BYTES = 16 << 20,
	/* So much is worth a write, where more may not be held: a page at a time costs ext4 more. */
	PIECE_BYTES = 1 << 20,
};

extern struct held held;

bool held_has_room(size_t bytes);

/* Appends what there is room for. */
void hold(const void *data, size_t bytes);

/* Takes away what lies before that position. */
void forget_held(uint64_t position);

/* Where the bytes from one position up to another lie: in one piece, or in two. */
void held_pieces(uint64_t from, uint64_t to, struct iovec pieces[2]);

void copy_held(uint64_t from, void *to, size_t bytes);

/* Whether more than PIECE_BYTES may be held: only so many captures of an agent may at a time. */
bool may_hold_more(void);

/* Gives back memory that was needed for a moment, and the right to it. Nothing is held. */
void release_held_memory(void);

#pragma GCC visibility pop
