/*
 * What an interface carried, exactly: a second packet socket on it, without a ring. Each packet stands in the
 * socket's queue, as big as it needs to be, the moment that the interface has it, and stays there when the
 * interface goes; there is no block that could be left open. Ends when the interface goes or at TERM, and prints
 * the number of each datagram to the port, one per line, then "dropped <n>".
 *
 *   witness <interface> <UDP port>
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static void print_number(const unsigned char *packet, size_t bytes, int port)
{
	struct iphdr ip;
	struct udphdr udp;
	size_t udp_at;

	if (bytes < sizeof(ip))
		return;
	memcpy(&ip, packet, sizeof(ip));
	udp_at = ip.ihl * 4;
	if (ip.version != 4 || ip.protocol != IPPROTO_UDP || bytes < udp_at + sizeof(udp) + 5)
		return;
	memcpy(&udp, packet + udp_at, sizeof(udp));
	if (ntohs(udp.dest) == port && memcmp(packet + udp_at + sizeof(udp), "seq=", 4) == 0)
		printf("%lld\n", atoll((const char *)packet + udp_at + sizeof(udp) + 4));
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return fputs("witness: two arguments\n", stderr), 2;

	/* Protocol 0 hears nothing: bind() gives it the interface and its ears at once. */
	int fd = socket(AF_PACKET, SOCK_DGRAM, 0);
	struct sockaddr_ll on = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int queue_bytes = 512 << 20;
	static unsigned char packet[65536 + 1];
	struct tpacket_stats counted;
	socklen_t counted_bytes = sizeof(counted);
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	on.sll_ifindex = if_nametoindex(argv[1]);
	if (fd < 0 || on.sll_ifindex == 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue_bytes, sizeof(queue_bytes)) != 0 ||
	    bind(fd, (struct sockaddr *)&on, sizeof(on)) != 0)
		return perror("witness"), 1;
	struct sigaction at_term = {.sa_handler = stop};
	sigaction(SIGTERM, &at_term, NULL);
	puts("ready");
	fflush(stdout);

	for (;;) {
		ssize_t bytes = recv(fd, packet, sizeof(packet) - 1, MSG_DONTWAIT);
		if (bytes >= 0) {
			packet[bytes] = 0;
			print_number(packet, bytes, atoi(argv[2]));
		} else if (errno == ENETDOWN) {
			stopped = 1; /* said once, before what still stands in the queue */
		} else if (stopped) {
			break;
		} else {
			poll(&wait, 1, 100); /* not for ever: a signal may come just before it */
		}
	}
	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &counted, &counted_bytes) != 0)
		return perror("witness"), 1;
	printf("dropped %u\n", counted.tp_drops);
	return 0;
}
