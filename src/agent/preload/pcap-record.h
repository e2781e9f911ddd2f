#pragma once

#include <stdint.h>

/* What stands before each packet in a file (pcap-savefile(5)), in this machine's byte order. */
struct record {
	uint32_t seconds;
	uint32_t fraction;
	uint32_t captured_bytes;
	uint32_t bytes;
};
