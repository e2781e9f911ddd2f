/*
 * Sends UDP datagrams as whole frames, past the queueing discipline (PACKET_QDISC_BYPASS): no packet socket sees what
 * is sent in this way.
 *
 *   bypass INTERFACE SOURCE-IPV4 DESTINATION-IPV4 DESTINATION-MAC COUNT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { PAYLOAD_BYTES = 100, DISCARD_PORT = 9 };

struct frame {
	struct ether_header ethernet;
	struct iphdr ip;
	struct udphdr udp;
	char payload[PAYLOAD_BYTES];
} __attribute__((packed));

static unsigned short checksum(const void *header, size_t bytes)
{
	unsigned long sum = 0;

	for (size_t at = 0; at < bytes; at += 2) {
		unsigned short word;

		memcpy(&word, (const char *)header + at, sizeof(word));
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static int open_past_queue(const char *interface, unsigned char mac[ETH_ALEN])
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(interface)};
	struct ifreq request = {0};
	int on = 1, fd = socket(AF_PACKET, SOCK_RAW, 0);

	strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0)
		err(1, "%s", interface);
	memcpy(mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
	return fd;
}

int main(int argc, char **argv)
{
	if (argc != 6)
		errx(2, "five arguments");

	struct frame frame = {
		.ethernet.ether_type = htons(ETHERTYPE_IP),
		.ip = {.version = 4, .ihl = sizeof(frame.ip) / 4, .ttl = 64, .protocol = IPPROTO_UDP},
		.udp = {.source = htons(DISCARD_PORT), .dest = htons(DISCARD_PORT)},
	};
	int fd = open_past_queue(argv[1], frame.ethernet.ether_shost), sent = 0, count = atoi(argv[5]);

	if (inet_pton(AF_INET, argv[2], &frame.ip.saddr) != 1 || inet_pton(AF_INET, argv[3], &frame.ip.daddr) != 1 ||
	    !ether_aton_r(argv[4], (struct ether_addr *)frame.ethernet.ether_dhost))
		errx(2, "bad arguments");
	frame.ip.tot_len = htons(sizeof(frame) - sizeof(frame.ethernet));
	frame.ip.check = checksum(&frame.ip, sizeof(frame.ip));
	frame.udp.len = htons(sizeof(frame.udp) + sizeof(frame.payload));
	memset(frame.payload, '.', sizeof(frame.payload));

	while (sent < count) {
		if (send(fd, &frame, sizeof(frame), 0) == sizeof(frame))
			sent += 1;
		else if (errno != EINTR && errno != ENOBUFS)
			err(1, "send");
	}
	return 0;
}
