#ifndef PODCAP_INTERFACE_NAME_H
#define PODCAP_INTERFACE_NAME_H

#pragma GCC visibility push(hidden)

/* The index of the interface that the capture's socket is bound to; 0 or less once that is deleted. */
int captured_interface(void);

/*
 * Reports the name of the captured interface, and which interface has the name that tcpdump was started with, if one of
 * them has changed since the last report. Two system calls; neither waits for the RTNL lock.
 */
void report_interface_name(void);

#pragma GCC visibility pop

#endif
