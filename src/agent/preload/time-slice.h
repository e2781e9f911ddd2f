#ifndef PODCAP_TIME_SLICE_H
#define PODCAP_TIME_SLICE_H

#pragma GCC visibility push(hidden)

/* Asks the scheduler for a longer time slice for this process, but no larger share of the CPU. */
void request_longer_time_slice(void);

#pragma GCC visibility pop

#endif
