#pragma once

#include <stdbool.h>

#pragma GCC visibility push(hidden)

/*
 * Hands the open block of that socket's receive ring over to libpcap, as the kernel would at the end of the block's
 * timeout. Nothing may be let in any more: neither by the filter nor by the interface. False when that cannot be done,
 * and the timeout has to be waited for.
 */
bool hand_over_open_block(int fd);

#pragma GCC visibility pop
