/*
 * Reads numbers of files to keep as tcpdump's library does.
 *
 *   files-to-keep-reader PIECE...
 *
 * Each piece arrives on standard input by itself. Prints the number after each; before the first one it is 1,000,000.
 */
#include "../preload/files-to-keep.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned long files = 1000000;
	int ends[2];

	if (pipe(ends) != 0 || dup2(ends[0], STDIN_FILENO) < 0) {
		perror("pipe");
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		size_t bytes = strlen(argv[i]);

		if (write(ends[1], argv[i], bytes) != (ssize_t)bytes) {
			perror("write");
			return 1;
		}
		read_files_to_keep(&files);
		printf("%lu\n", files);
	}
	return 0;
}
