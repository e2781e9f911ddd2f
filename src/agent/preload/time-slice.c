/*
 * Why: docs/decisions/0024-tcpdump-gets-a-10-ms-time-slice.md. It is a file of its own because <sched.h>, too, defines
 * some of this.
 */
#define _GNU_SOURCE
#include "time-slice.h"

#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TIME_SLICE_NS = 10 * 1000 * 1000 };

/* Kernels before 6.12 ignore it, and a sandbox may refuse it: the process then has the default time slice. */
void request_longer_time_slice(void)
{
	struct sched_attr attributes;

	if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) < 0)
		return;
	attributes.sched_runtime = TIME_SLICE_NS;
	(void)syscall(SYS_sched_setattr, 0, &attributes, 0);
}
