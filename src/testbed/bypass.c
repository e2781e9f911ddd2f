/*
 * Sends UDP datagrams as whole frames that no packet socket sees: past the queueing discipline (PACKET_QDISC_BYPASS) or
 * through AF_XDP.
 *
 *   bypass qdisc|xdp INTERFACE SOURCE-IPV4 DESTINATION-IPV4 DESTINATION-MAC COUNT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum {
	PAYLOAD_BYTES = 100,
	DISCARD_PORT = 9,
	/* AF_XDP (af_xdp.rst): one chunk of memory has the frame, which is sent again and again. */
	CHUNK_BYTES = 4096,
	RING_ENTRIES = 64,
};

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

static void read_mac(const char *interface, unsigned char mac[ETH_ALEN])
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		err(1, "%s", interface);
	memcpy(mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
}

static void send_past_queue(const char *interface, const struct frame *frame, int count)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(interface)};
	int on = 1, sent = 0, fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0)
		err(1, "%s", interface);
	while (sent < count) {
		if (send(fd, frame, sizeof(*frame), 0) == sizeof(*frame))
			sent += 1;
		else if (errno != EINTR && errno != ENOBUFS)
			err(1, "send");
	}
}

static void set_option(int fd, int option, const void *value, socklen_t bytes)
{
	if (setsockopt(fd, SOL_XDP, option, value, bytes) < 0)
		err(1, "option %d of AF_XDP", option);
}

static unsigned char *map_ring(int fd, size_t bytes, off_t offset)
{
	unsigned char *ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);

	if (ring == MAP_FAILED)
		err(1, "a ring of AF_XDP");
	return ring;
}

static void send_through_xdp(const char *interface, const struct frame *frame, int count)
{
	struct sockaddr_xdp address = {
		.sxdp_family = AF_XDP, .sxdp_ifindex = if_nametoindex(interface), .sxdp_flags = XDP_COPY};
	void *chunk = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct xdp_umem_reg memory = {.addr = (uintptr_t)chunk, .len = CHUNK_BYTES, .chunk_size = CHUNK_BYTES};
	struct xdp_mmap_offsets offsets;
	socklen_t offsets_bytes = sizeof(offsets);
	int entries = RING_ENTRIES, fd = socket(AF_XDP, SOCK_RAW, 0);

	if (fd < 0 || chunk == MAP_FAILED)
		err(1, "AF_XDP");
	memcpy(chunk, frame, sizeof(*frame));
	set_option(fd, XDP_UMEM_REG, &memory, sizeof(memory));
	set_option(fd, XDP_UMEM_FILL_RING, &entries, sizeof(entries));
	set_option(fd, XDP_UMEM_COMPLETION_RING, &entries, sizeof(entries));
	set_option(fd, XDP_TX_RING, &entries, sizeof(entries));
	if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &offsets_bytes) < 0)
		err(1, "the offsets of AF_XDP");

	unsigned char *tx = map_ring(fd, offsets.tx.desc + RING_ENTRIES * sizeof(struct xdp_desc), XDP_PGOFF_TX_RING);
	unsigned char *done =
		map_ring(fd, offsets.cr.desc + RING_ENTRIES * sizeof(uint64_t), XDP_UMEM_PGOFF_COMPLETION_RING);
	struct xdp_desc *descriptors = (struct xdp_desc *)(tx + offsets.tx.desc);
	uint32_t *tx_producer = (uint32_t *)(tx + offsets.tx.producer);
	uint32_t *done_producer = (uint32_t *)(done + offsets.cr.producer);
	uint32_t *done_consumer = (uint32_t *)(done + offsets.cr.consumer);

	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "%s", interface);
	for (uint32_t sent = 0; sent < (uint32_t)count; sent++) {
		descriptors[sent % RING_ENTRIES] = (struct xdp_desc){.addr = 0, .len = sizeof(*frame)};
		__atomic_store_n(tx_producer, sent + 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(done_producer, __ATOMIC_ACQUIRE) != sent + 1)
			if (sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN && errno != EBUSY &&
			    errno != EINTR && errno != ENOBUFS)
				err(1, "send through AF_XDP");
		__atomic_store_n(done_consumer, sent + 1, __ATOMIC_RELEASE);
	}
}

int main(int argc, char **argv)
{
	if (argc != 7)
		errx(2, "six arguments");

	struct frame frame = {
		.ethernet.ether_type = htons(ETHERTYPE_IP),
		.ip = {.version = 4, .ihl = sizeof(frame.ip) / 4, .ttl = 64, .protocol = IPPROTO_UDP},
		.udp = {.source = htons(DISCARD_PORT), .dest = htons(DISCARD_PORT)},
	};
	int count = atoi(argv[6]);

	read_mac(argv[2], frame.ethernet.ether_shost);
	if (inet_pton(AF_INET, argv[3], &frame.ip.saddr) != 1 || inet_pton(AF_INET, argv[4], &frame.ip.daddr) != 1 ||
	    !ether_aton_r(argv[5], (struct ether_addr *)frame.ethernet.ether_dhost))
		errx(2, "bad arguments");
	frame.ip.tot_len = htons(sizeof(frame) - sizeof(frame.ethernet));
	frame.ip.check = checksum(&frame.ip, sizeof(frame.ip));
	frame.udp.len = htons(sizeof(frame.udp) + sizeof(frame.payload));
	memset(frame.payload, '.', sizeof(frame.payload));

	if (strcmp(argv[1], "qdisc") == 0)
		send_past_queue(argv[2], &frame, count);
	else if (strcmp(argv[1], "xdp") == 0)
		send_through_xdp(argv[2], &frame, count);
	else
		errx(2, "%s: qdisc or xdp", argv[1]);
	return 0;
}
