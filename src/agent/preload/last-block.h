#ifndef PODCAP_LAST_BLOCK_H
#define PODCAP_LAST_BLOCK_H

#include <stdbool.h>

enum {
	/*
	 * After this the kernel retires a block that is not full. It is tcpdump's own. Each capture has its own timer in
	 * the kernel, which wakes a core at this interval: with a shorter one a hundred captures slow down other Pods
	 * (docs/decisions/0020-an-idle-capture-causes-no-wakeups.md).
	 */
	BLOCK_TIMEOUT_MS = 1000,
};

struct tpacket_req3;

#pragma GCC visibility push(hidden)

/* Notes where the receive ring of that socket is, once the kernel has made it. */
void note_receive_ring(int fd, const struct tpacket_req3 *request);

/*
 * Retires the open block of that socket's receive ring to libpcap, as the kernel would at the end of the block's
 * timeout. Neither the filter nor the interface may let anything in any more. Returns false when that cannot be done,
 * and the timeout has to be waited for.
 */
bool retire_open_block(int fd);

#pragma GCC visibility pop

#endif
