/*
 * Receives everything that is sent to a port and discards it, until SIGTERM: a receiver that costs little. What arrived
 * is in the kernel's counters of its network namespace.
 *
 *   sink udp|tcp PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, DATAGRAM_BYTES = 2048, STREAM_BYTES = 256 * 1024 };

static void receive_datagrams(int fd)
{
	static char buffers[BATCH][DATAGRAM_BYTES];
	struct iovec segments[BATCH];
	struct mmsghdr messages[BATCH];

	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < BATCH; i++) {
		segments[i] = (struct iovec){buffers[i], DATAGRAM_BYTES};
		messages[i].msg_hdr.msg_iov = &segments[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL) >= 0)
		;
}

static void receive_streams(int fd)
{
	static char buffer[STREAM_BYTES];

	for (;;) {
		int stream = accept(fd, NULL, NULL);

		if (stream < 0)
			return;
		while (recv(stream, buffer, sizeof(buffer), 0) > 0)
			;
		close(stream);
	}
}

static void stop(int signal)
{
	(void)signal;
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		errx(2, "two arguments");

	int is_tcp = strcmp(argv[1], "tcp") == 0, yes = 1;
	int fd = socket(AF_INET, is_tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || (is_tcp && listen(fd, 16) != 0))
		err(1, "port %s", argv[2]);
	signal(SIGTERM, stop);
	puts("ready");
	fflush(stdout);
	if (is_tcp)
		receive_streams(fd);
	else
		receive_datagrams(fd);
	err(1, "receive");
}
