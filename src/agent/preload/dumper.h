#ifndef PODCAP_DUMPER_H
#define PODCAP_DUMPER_H

#pragma GCC visibility push(hidden)

/*
 * Writes what must be in the files by now, and reports new files to the agent; to be called before the capture sleeps.
 * Returns after how many milliseconds it has something to do again, or -1.
 */
int write_before_sleep(void);

/*
 * Applies what the agent has sent meanwhile: how many files to keep. Files beyond that number are deleted at once. Then
 * acknowledges the newest message.
 */
void take_files_to_keep(void);

/* After this, what is captured is in the files, or is counted as in no file. */
void write_everything(void);

#pragma GCC visibility pop

#endif
