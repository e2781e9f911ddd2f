#define _GNU_SOURCE
#include "fail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Not exit(): it would flush and clean up what belongs to the process that this one was forked from. */
_Noreturn void fail(const char *what)
{
	dprintf(STDERR_FILENO, "podcap-spawner: %s: %s\n", what, strerror(errno));
	_exit(1);
}
