#ifndef PODCAP_PCAP_RECORD_H
#define PODCAP_PCAP_RECORD_H

#include <stdint.h>

/* The header of each packet in a file (pcap-savefile(5)), in this machine's byte order. */
struct pcap_record_header {
	uint32_t seconds;
	uint32_t fraction;
	uint32_t captured_bytes;
	uint32_t bytes;
};

#endif
