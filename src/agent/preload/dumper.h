/* What preload.c and dumper.c have of each other. */
#pragma once

/* Declared here and not by <pcap.h>: the image's build needs a compiler and nothing else. */
typedef struct pcap pcap_t;
typedef struct pcap_dumper pcap_dumper_t;

#pragma GCC visibility push(hidden)

/*
 * dumper.c: before the capture sleeps. Writes what is to be in the files by now, and tells the agent of new ones. Gives
 * back after how many milliseconds there is something to do again, or -1.
 */
int write_before_sleep(void);

/* dumper.c: what is captured is in the files from here on, or is counted as not written. */
void write_everything(void);

/* preload.c: ends the capture in order, so that its statistics are complete. */
void end_capture(void);

#pragma GCC visibility pop
