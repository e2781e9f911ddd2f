#ifndef PODCAP_RECEIVE_RING_H
#define PODCAP_RECEIVE_RING_H

#include <linux/if_packet.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

/* The receive ring that libpcap has requested last, and has got: blocks of the same size, one after the other. */
extern struct receive_ring {
	int fd; /* its packet socket; -1 without a ring */
	size_t block_bytes, block_count;
	unsigned char *blocks; /* in a mapping of the library's own */
} receive_ring;

/* Notes where the receive ring of that socket is, once the kernel has made it. */
void note_receive_ring(int fd, const struct tpacket_req3 *request);

struct tpacket_block_desc *receive_ring_block(size_t index);

/*
 * Reports to the agent that the ring is full or has been: all its blocks belong to libpcap, or the kernel has dropped
 * packets. To be called when libpcap wakes up.
 */
void report_full_receive_ring(void);

/* The same while libpcap empties the ring, every 64 KiB: that many bytes of a packet are about to be taken from it. */
void count_received_bytes(size_t bytes);

#pragma GCC visibility pop

#endif
