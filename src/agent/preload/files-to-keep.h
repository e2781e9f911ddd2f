#ifndef PODCAP_FILES_TO_KEEP_H
#define PODCAP_FILES_TO_KEEP_H

#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* The descriptor on which messages arrive, to be polled; -1 once its other end is closed. */
int files_to_keep_fd(void);

/*
 * Reads the agent's messages from standard input, as far as they have arrived, and sets `files` to the last one.
 * Returns whether there was one. A message is a decimal number of up to nine digits and a newline; other lines are
 * ignored. The beginning of a line waits for the rest. Never blocks.
 */
bool read_files_to_keep(unsigned long *files);

#pragma GCC visibility pop

#endif
