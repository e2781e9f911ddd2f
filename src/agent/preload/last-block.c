/*
 * The block that is still open when a capture ends. The kernel keeps it until it is full or its timeout has passed,
 * though its packets are in memory that both share, and its header has their number (packet_mmap.rst). When no packet
 * can follow, the reader may take it.
 */
#define _GNU_SOURCE
#include "last-block.h"

#include <linux/if_packet.h>
#include <linux/membarrier.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The receive ring that libpcap has requested last, and has got. */
static struct {
	int fd;
	size_t block_bytes, blocks;
} receive_ring = {.fd = -1};

void note_receive_ring(int fd, const struct tpacket_req3 *request)
{
	receive_ring.fd = fd;
	receive_ring.block_bytes = request->tp_block_size;
	receive_ring.blocks = request->tp_block_nr;
}

/*
 * A core may still be copying a packet that was let in before. The packet is in the block once each core has been seen
 * outside the sections of the kernel that are not preempted.
 */
static bool wait_for_other_cores(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0;
}

/* The kernel opens blocks one after the other, and numbers them in this order: an open one has the highest number. */
static struct tpacket_block_desc *newest_block(unsigned char *blocks)
{
	struct tpacket_block_desc *newest = (struct tpacket_block_desc *)blocks;

	for (size_t i = 1; i < receive_ring.blocks; i++) {
		struct tpacket_block_desc *block = (struct tpacket_block_desc *)(blocks + i * receive_ring.block_bytes);

		if (block->hdr.bh1.seq_num > newest->hdr.bh1.seq_num)
			newest = block;
	}
	return newest;
}

/*
 * Whether the block has packets and is not closed: in a closed one the last packet has no offset to a next one. After a
 * full ring no block is open until another packet arrives; the newest one has been retired, and may have been read.
 */
static bool has_open_packets(const struct tpacket_block_desc *block)
{
	const struct tpacket_hdr_v1 *header = &block->hdr.bh1;
	const unsigned char *packet = (const unsigned char *)block + header->offset_to_first_pkt;

	if (header->num_pkts == 0)
		return false;
	for (uint32_t i = 1; i < header->num_pkts; i++)
		packet += ((const struct tpacket3_hdr *)packet)->tp_next_offset;
	return ((const struct tpacket3_hdr *)packet)->tp_next_offset > 0;
}

bool retire_open_block(int fd)
{
	size_t bytes = receive_ring.blocks * receive_ring.block_bytes;

	if (fd != receive_ring.fd || !wait_for_other_cores())
		return false;

	unsigned char *blocks = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (blocks == MAP_FAILED)
		return false;

	/* The kernel's timer may do the same at this moment: the second time changes nothing. */
	struct tpacket_block_desc *newest = newest_block(blocks);

	if (has_open_packets(newest))
		__atomic_fetch_or(&newest->hdr.bh1.block_status, TP_STATUS_USER, __ATOMIC_RELEASE);
	munmap(blocks, bytes);
	return true;
}
