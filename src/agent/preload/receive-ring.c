/*
 * The receive ring, in memory that the kernel and libpcap share (TPACKET_V3, packet_mmap.rst). The kernel fills its
 * blocks one after the other and gives each to libpcap, which returns it when it has read it. While all of them belong
 * to libpcap, the kernel drops packets. The agent then starts a capture with a larger ring.
 *
 * The statistics would say how many were dropped, but reading them resets them (packet(7)), and libpcap adds them up.
 */
#define _GNU_SOURCE
#include "receive-ring.h"

#include "preload.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
	/* A full ring is reported at most this often. */
	FULL_REPORT_INTERVAL_S = 10,
	/* A quarter of a block: libpcap keeps the block that it was reading while the ring became full, and no other. */
	CHECK_BYTES = 1 << 16,
};

struct receive_ring receive_ring = {.fd = -1};

/* Without this mapping the capture runs all the same: see receive_ring_block(). */
void note_receive_ring(int fd, const struct tpacket_req3 *request)
{
	size_t bytes = (size_t)request->tp_block_size * request->tp_block_nr;
	void *blocks = bytes == 0 ? MAP_FAILED : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (blocks == MAP_FAILED)
		return;
	receive_ring.fd = fd;
	receive_ring.block_bytes = request->tp_block_size;
	receive_ring.block_count = request->tp_block_nr;
	receive_ring.blocks = blocks;
}

struct tpacket_block_desc *receive_ring_block(size_t index)
{
	return (struct tpacket_block_desc *)(receive_ring.blocks + index * receive_ring.block_bytes);
}

/*
 * Blocks change hands in the order of the ring, so the search goes on where the last one ended: at the first block that
 * the kernel had then. Most calls look at one block.
 */
static bool is_full(void)
{
	static size_t first_of_kernel;

	for (size_t i = 0; i < receive_ring.block_count; i++) {
		uint32_t status =
			__atomic_load_n(&receive_ring_block(first_of_kernel)->hdr.bh1.block_status, __ATOMIC_ACQUIRE);

		if (!(status & TP_STATUS_USER))
			return false;
		/* A block that was closed after a packet had been dropped, until the statistics are read. */
		if (status & TP_STATUS_LOSING)
			return true;
		first_of_kernel = (first_of_kernel + 1) % receive_ring.block_count;
	}
	return receive_ring.block_count > 0;
}

void report_full_receive_ring(void)
{
	static time_t next_report;
	struct timespec now;

	if (!is_full())
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec < next_report)
		return;
	next_report = now.tv_sec + FULL_REPORT_INTERVAL_S;
	dprintf(STDERR_FILENO, "podcap: receive ring full\n");
}

void count_received_bytes(size_t bytes)
{
	/* libpcap need not have polled before the first packet. */
	static size_t unchecked = CHECK_BYTES;

	unchecked += bytes;
	if (unchecked < CHECK_BYTES)
		return;
	unchecked = 0;
	report_full_receive_ring();
}
