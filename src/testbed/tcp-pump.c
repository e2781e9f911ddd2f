/*
 * Sends one TCP stream as fast as it goes, until TERM.
 *
 *   pump <IPv4 address> <port>
 */
#include <arpa/inet.h>
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
		return fputs("pump: two arguments\n", stderr), 2;

	static char buffer[STREAM_BYTES];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	signal(SIGTERM, stop);
	if (fd < 0 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		return perror("pump"), 1;
	puts("ready");
	fflush(stdout);
	while (send(fd, buffer, sizeof(buffer), MSG_NOSIGNAL) > 0)
		;
	return perror("pump"), 1;
}
