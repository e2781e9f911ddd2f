#ifndef PODCAP_FILES_TO_KEEP_H
#define PODCAP_FILES_TO_KEEP_H

#pragma GCC visibility push(hidden)

/*
 * Reads the agent's messages from standard input, as far as they have arrived, and sets `files` to the last one. A
 * message is a decimal number of up to nine digits and a newline; other lines are ignored. The beginning of a line
 * waits for the rest. Never blocks.
 */
void read_files_to_keep(unsigned long *files);

#pragma GCC visibility pop

#endif
