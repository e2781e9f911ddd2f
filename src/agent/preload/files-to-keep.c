#define _GNU_SOURCE
#include "files-to-keep.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum {
	/* The number fits into a long of 32 bits. */
	MAX_DIGITS = 9,
	READ_BYTES = 4096,
	/* A full pipe has 64 KiB; what is written meanwhile is read the next time. */
	MAX_READS = 17,
};

static bool is_closed;

/* Takes the next byte; true if it completes a message. A read may end within a line: what was read of it stays here. */
static bool take_byte(char byte, unsigned long *files)
{
	static struct {
		unsigned long number;
		int digits;
		bool is_malformed;
	} line;

	if (byte == '\n') {
		bool is_message = line.digits > 0 && !line.is_malformed;

		if (is_message)
			*files = line.number;
		line.number = 0;
		line.digits = 0;
		line.is_malformed = false;
		return is_message;
	}
	if (byte >= '0' && byte <= '9' && line.digits < MAX_DIGITS) {
		line.number = line.number * 10 + (unsigned long)(byte - '0');
		line.digits += 1;
	} else {
		line.is_malformed = true;
	}
	return false;
}

int files_to_keep_fd(void)
{
	return is_closed ? -1 : STDIN_FILENO;
}

bool read_files_to_keep(unsigned long *files)
{
	bool has_message = false;
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	const struct timespec at_once = {0};
	char bytes[READ_BYTES];

	/* Not poll(): poll.c interposes that. */
	for (int reads = 0; reads < MAX_READS && !is_closed && ppoll(&input, 1, &at_once, NULL) > 0; reads++) {
		ssize_t count = read(STDIN_FILENO, bytes, sizeof(bytes));

		is_closed = count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN);
		for (ssize_t i = 0; i < count; i++)
			has_message |= take_byte(bytes[i], files);
	}
	return has_message;
}
