#ifndef PODCAP_PRELOAD_H
#define PODCAP_PRELOAD_H

/* libpcap's, but not by <pcap.h>: the image is built with a compiler and libc alone. */
typedef struct pcap pcap_t;
typedef struct pcap_dumper pcap_dumper_t;

#pragma GCC visibility push(hidden)

/*
 * Sets a function pointer, whose address is given, to the function of that name that this library interposes or calls:
 * the next one after the library's own. NULL if no other library has it. Call it from a constructor: dlsym() is not
 * safe in a signal handler.
 */
void find_real(void *function_pointer, const char *name);

#pragma GCC visibility pop

#endif
