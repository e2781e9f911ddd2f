/*
 * Takes everything that is sent to a port and forgets it, until TERM: a receiver that costs little. What arrived is
 * read from the kernel's counters of its network namespace.
 *
 *   sink <udp|tcp> <port>
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, DATAGRAM_BYTES = 2048, STREAM_BYTES = 256 * 1024 };

static void take_datagrams(int fd)
{
	static char buffers[BATCH][DATAGRAM_BYTES];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH];

	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){buffers[i], DATAGRAM_BYTES};
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL) >= 0)
		;
}

static void take_streams(int fd)
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
		return fputs("sink: two arguments\n", stderr), 2;

	int is_tcp = strcmp(argv[1], "tcp") == 0, yes = 1;
	int fd = socket(AF_INET, is_tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || (is_tcp && listen(fd, 16) != 0))
		return perror("sink"), 1;
	signal(SIGTERM, stop);
	puts("ready");
	fflush(stdout);
	if (is_tcp)
		take_streams(fd);
	else
		take_datagrams(fd);
	return perror("sink"), 1;
}
