#ifndef PODCAP_RING_H
#define PODCAP_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#pragma GCC visibility push(hidden)

/*
 * A file of this capture's ring, which may not be on the disk yet. A file that the ring would delete within a second
 * never gets there.
 */
struct ring_file {
	struct ring_file *next;
	struct timespec started_at;
	uint64_t start, end; /* positions of its records in the write buffer; `end` once it is complete */
	uint64_t written; /* the position up to which they are on the disk */
	unsigned long packets_before, packets, packets_written;
	unsigned long number; /* on the disk, from 1 on; 0 while, or if, it is not there */
};

/*
 * The files of this capture, oldest first. The newest `keep` of them are kept. Those before them that are on the disk
 * are deleted when a newer one is written; what was never written of them is discarded.
 */
extern struct ring {
	struct ring_file *oldest, *oldest_kept, *newest;
	unsigned long kept_count;
	unsigned long keep; /* 0, as until the agent has sent a number: all are kept */
	struct {
		unsigned long files; /* how many have been started on the disk */
		unsigned long packets; /* in the files before the newest of them, written or not */
		unsigned long pruned; /* packets of this capture that were deleted, or never written */
	} disk;
} ring;

/*
 * Takes the path that tcpdump chose for its next file. The ring uses these paths in the same order, but none for a file
 * that is never written. Returns false if there is no memory for it.
 */
bool ring_add_path(const char *path);

/* Sets what each file starts with. */
void ring_set_file_header(const void *bytes, unsigned int length);
unsigned int ring_file_header_bytes(void);

/* Adds a file as the newest. Returns false, and sets errno, when there is no memory for it. */
bool ring_start_file(const struct timespec *now);

/* Discards what is buffered of files that are no longer kept. */
void ring_discard_old_files(void);

/* Deletes the files on the disk that are no longer kept, before newer ones are written. */
void ring_delete_old_files(void);

/* Writes everything that is buffered, and deletes files that are no longer kept. Returns false, and sets errno. */
bool ring_write(void);

/* Discards the write buffer. Returns how many packets of the kept files are therefore in none. */
unsigned long ring_abandon_buffer(void);

/* Whether the file that is being written has been deleted by another process: true once for each file. */
bool ring_notices_deletion(void);

#pragma GCC visibility pop

#endif
