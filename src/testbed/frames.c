/*
 * Sends whole frames, each of which is one argument in hexadecimal digits.
 *
 *   frames INTERFACE FRAME...
 */
#include <err.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { MAX_BYTES = 1518 };

static size_t from_hexadecimal(const char *digits, unsigned char *frame)
{
	size_t bytes = strlen(digits) / 2;

	if (bytes > MAX_BYTES)
		errx(2, "a frame of %zu bytes", bytes);
	for (size_t at = 0; at < bytes; at++) {
		if (sscanf(digits + 2 * at, "%2hhx", &frame[at]) != 1)
			errx(2, "not hexadecimal: %s", digits + 2 * at);
	}
	return bytes;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		errx(2, "an interface, and frames");

	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(argv[1])};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "%s", argv[1]);
	for (int i = 2; i < argc; i++) {
		unsigned char frame[MAX_BYTES];
		size_t bytes = from_hexadecimal(argv[i], frame);

		if (send(fd, frame, bytes, 0) != (ssize_t)bytes)
			err(1, "send");
	}
	return 0;
}
