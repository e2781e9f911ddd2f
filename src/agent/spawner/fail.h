#ifndef PODCAP_FAIL_H
#define PODCAP_FAIL_H

/* Prints what failed, and why by errno, on standard error, and ends the process with exit code 1. */
_Noreturn void fail(const char *what);

#endif
