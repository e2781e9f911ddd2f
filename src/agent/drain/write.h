/* What drain.c and write.c have of each other. */
#pragma once

/* Declared here and not by <pcap.h>: the image's build needs a compiler and nothing else. */
typedef struct pcap pcap_t;
typedef struct pcap_dumper pcap_dumper_t;

#pragma GCC visibility push(hidden)

/* write.c: what is captured is in the file from here on, or is counted as not written. */
void write_gathered(void);

/* write.c: tells the agent of new files when it is time to; gives back how long it is until then, or -1. */
int tell_files_when_due(void);

/* drain.c: ends the capture in order, so that its statistics are complete. */
void end_capture(void);

#pragma GCC visibility pop
