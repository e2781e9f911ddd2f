#ifndef PODCAP_STOP_H
#define PODCAP_STOP_H

#include "preload.h"

#include <signal.h>
#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* The capture of this process. Handles that only compile a filter, list interfaces or read a file never become it. */
extern struct capture {
	pcap_t *handle; /* NULL until it is activated */
	int fd; /* its packet socket; -1 until then */
	volatile sig_atomic_t is_stopping; /* its filter rejects all packets */
} capture;

/* Has the socket neither take nor count a packet, until it gets another filter. False if it is no such socket. */
bool reject_all_packets(int fd);

/* Stops the capture in order, as SIGTERM does, so that its statistics are complete. */
void stop_capture(void);

/* libpcap's own pcap_breakloop() for the capture: its loop ends at the next interrupted poll(). */
void break_loop(void);

#pragma GCC visibility pop

#endif
