/*
 * Records exactly which datagrams pass an interface, with a second packet socket that has no ring. Each packet is in
 * the socket's queue, which is as large as it needs to be, as soon as the interface has it, and stays there when the
 * interface is deleted; no block could be left open. Ends when the interface is deleted or at SIGTERM, and prints the
 * number of each datagram to the port, one per line, then "dropped <n>".
 *
 *   witness INTERFACE UDP-PORT
 */
#include <arpa/inet.h>
#include <err.h>
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

static int open_socket(const char *interface)
{
	/* Protocol 0 receives nothing: bind() sets the interface and the protocol at once. */
	int fd = socket(AF_PACKET, SOCK_DGRAM, 0);
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int queue_bytes = 512 << 20;

	address.sll_ifindex = if_nametoindex(interface);
	if (fd < 0 || address.sll_ifindex == 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue_bytes, sizeof(queue_bytes)) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		err(1, "%s", interface);
	return fd;
}

static void print_numbers(int fd, int port)
{
	static unsigned char packet[65536 + 1];
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	for (;;) {
		ssize_t bytes = recv(fd, packet, sizeof(packet) - 1, MSG_DONTWAIT);

		if (bytes >= 0) {
			packet[bytes] = 0;
			print_number(packet, bytes, port);
		} else if (errno == ENETDOWN) {
			stopped = 1; /* reported once, before what is still in the queue */
		} else if (stopped) {
			return;
		} else {
			poll(&wait, 1, 100); /* with a limit: a signal may come just before it */
		}
	}
}

int main(int argc, char **argv)
{
	if (argc != 3)
		errx(2, "two arguments");

	int fd = open_socket(argv[1]);
	struct sigaction at_term = {.sa_handler = stop};
	struct tpacket_stats counted;
	socklen_t counted_bytes = sizeof(counted);

	if (sigaction(SIGTERM, &at_term, NULL) != 0)
		err(1, "SIGTERM");
	puts("ready");
	fflush(stdout);
	print_numbers(fd, atoi(argv[2]));
	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &counted, &counted_bytes) != 0)
		err(1, "statistics");
	printf("dropped %u\n", counted.tp_drops);
	return 0;
}
