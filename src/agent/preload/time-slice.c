/* Why: docs/decisions/0024-tcpdump-gets-a-10-ms-time-slice.md. A file of its own: <sched.h> defines some of this too. */
#define _GNU_SOURCE
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "time-slice.h"

enum { TURN_NS = 10 * 1000 * 1000 };

/* Kernels before 6.12 take no notice of it, and a sandbox may refuse it: its turns are then as everybody's. */
void take_longer_turns(void)
{
	struct sched_attr schedule;

	if (syscall(SYS_sched_getattr, 0, &schedule, sizeof(schedule), 0) < 0)
		return;
	schedule.sched_runtime = TURN_NS;
	syscall(SYS_sched_setattr, 0, &schedule, 0);
}
