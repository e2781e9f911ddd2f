/*
 * The block that is still open when a capture ends. The kernel keeps it to itself until it is full or its timeout has
 * passed, though its packets lie in memory that both share, and its header says how many they are (packet_mmap.rst).
 * When no packet can come any more, whoever reads it may take it.
 */
#define _GNU_SOURCE
#include "last-block.h"
#include <dlfcn.h>
#include <linux/if_packet.h>
#include <linux/membarrier.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The receive ring that libpcap has asked for last, and got. */
static struct {
	int fd;
	size_t block_bytes, blocks;
} ring = {.fd = -1};

static int (*real_setsockopt)(int, int, int, const void *, socklen_t);

__attribute__((constructor)) static void find_real_function(void)
{
	*(void **)&real_setsockopt = dlsym(RTLD_NEXT, "setsockopt");
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t bytes)
{
	int result = real_setsockopt(fd, level, name, value, bytes);

	/* Only TPACKET_V3 has blocks, and asks with this structure. */
	if (result == 0 && level == SOL_PACKET && name == PACKET_RX_RING && bytes == sizeof(struct tpacket_req3)) {
		const struct tpacket_req3 *asked = value;

		ring.fd = fd;
		ring.block_bytes = asked->tp_block_size;
		ring.blocks = asked->tp_block_nr;
	}
	return result;
}

/*
 * A core may still be copying a packet that was let in before: it is in the block when each core has been seen outside
 * of what the kernel does undisturbed.
 */
static bool wait_for_other_cores(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0;
}

/* Blocks are opened one after the other, and numbered so: if one is open, it has the highest number. */
static struct tpacket_block_desc *newest_block(unsigned char *blocks)
{
	struct tpacket_block_desc *newest = NULL;

	for (size_t i = 0; i < ring.blocks; i++) {
		struct tpacket_block_desc *block = (struct tpacket_block_desc *)(blocks + i * ring.block_bytes);

		if (newest == NULL || block->hdr.bh1.seq_num > newest->hdr.bh1.seq_num)
			newest = block;
	}
	return newest;
}

/*
 * Whether it has packets, and is not closed: then no other packet follows the last one. After a full ring none is open
 * until another packet comes, and the newest was handed over, and may have been read.
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

bool hand_over_open_block(int fd)
{
	size_t bytes = ring.blocks * ring.block_bytes;

	if (fd != ring.fd || !wait_for_other_cores())
		return false;

	unsigned char *blocks = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (blocks == MAP_FAILED)
		return false;

	/* The kernel's timer may do the same at this moment: then it is done twice. */
	struct tpacket_block_desc *newest = newest_block(blocks);

	if (newest != NULL && has_open_packets(newest))
		__atomic_fetch_or(&newest->hdr.bh1.block_status, TP_STATUS_USER, __ATOMIC_RELEASE);
	munmap(blocks, bytes);
	return true;
}
