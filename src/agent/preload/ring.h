#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#pragma GCC visibility push(hidden)

/*
 * The files of this capture, oldest first. The newest `keep` are wanted. Those before them that stand on the disk are
 * deleted when a newer one is written; what was never written is forgotten. So a file that lives for less than a
 * second is not written at all.
 */
struct ring_file {
	struct ring_file *next;
	struct timespec begun_at;
	uint64_t begin, end; /* where its records lie among what is held; `end` once it is closed */
	uint64_t written; /* up to there they are in the file */
	unsigned long packets_before, packets, packets_written;
	unsigned long number; /* on the disk it is file so and so, from 1 on; 0 when it never was there */
};

extern struct ring {
	struct ring_file *oldest, *wanted, *newest;
	unsigned long wanted_count;
	unsigned long keep; /* 0 until the agent has said how many: all are wanted */
	struct {
		unsigned long begun; /* how many have been on the disk */
		unsigned long packets; /* in those before the newest of them, written or not */
		unsigned long pruned; /* packets of this capture that are deleted, or were never written */
	} disk;
} ring;

/* The path that tcpdump gives to its next file. They are used in this order, but for those of files never written. */
bool learn_path(const char *path);

/* What each file begins with. */
void set_file_header(const void *header, unsigned int bytes);
unsigned int file_header_bytes(void);

/* Makes another one the newest. False, and errno is set, when there is no memory for it. */
bool begin_ring_file(const struct timespec *now);

/* Forgets what is held of files that are not wanted any more. */
void forget_old_files(void);

/* Writes everything that is held, and deletes files that are not wanted any more. False, and errno tells why not. */
bool write_ring(void);

/* Nothing is written any more. Gives back how many packets of the wanted files are in none. */
unsigned long give_up_held(void);

/* Whether somebody has deleted the file that is being written: tells it once. */
bool has_lost_file(void);

#pragma GCC visibility pop
