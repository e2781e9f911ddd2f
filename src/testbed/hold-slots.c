/*
 * What a compromised tcpdump can do with the file of slots, its descriptor 3: makes it longer than any loop may be, locks
 * all of it, and keeps the locks until it is killed. Prints a line on standard error when it has them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { SLOTS_FD = 3 };

int main(void)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (ftruncate(SLOTS_FD, (off_t)1 << 40) < 0 || fcntl(SLOTS_FD, F_SETLK, &all) < 0) {
		perror("slots");
		return 1;
	}
	fprintf(stderr, "locked\n");
	for (;;)
		pause();
}
