/*
 * Sends one TCP stream at full speed, until SIGTERM.
 *
 *   tcp-pump IPV4-ADDRESS PORT
 */
#include <arpa/inet.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STREAM_BYTES = 256 * 1024 };

static void stop(int signal)
{
	(void)signal;
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		errx(2, "two arguments");

	static char buffer[STREAM_BYTES];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	signal(SIGTERM, stop);
	if (fd < 0 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		err(1, "%s", argv[1]);
	puts("ready");
	fflush(stdout);
	while (send(fd, buffer, sizeof(buffer), MSG_NOSIGNAL) > 0)
		;
	err(1, "send");
}
