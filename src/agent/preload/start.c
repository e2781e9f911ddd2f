/* How a capture starts: with a socket that receives nothing before its filter is set, and blocks of a second. */
#include "interface-name.h"
#include "last-block.h"
#include "preload.h"
#include "stop.h"
#include "time-slice.h"

/* Without _GNU_SOURCE, with which it declares bind() with a union that is no pointer in ISO C. */
#include <linux/if_packet.h>
#include <sys/socket.h>

static struct {
	int (*bind)(int, const struct sockaddr *, socklen_t);
	int (*set_timeout)(pcap_t *, int);
	int (*activate)(pcap_t *);
	int (*fileno)(pcap_t *);
} real;

__attribute__((constructor)) static void find_real_functions(void)
{
	find_real(&real.bind, "bind");
	find_real(&real.set_timeout, "pcap_set_timeout");
	find_real(&real.activate, "pcap_activate");
	find_real(&real.fileno, "pcap_fileno");
}

/*
 * What arrives between libpcap's bind() and its filter is counted as received and then thrown away unless it matches:
 * the statistics would never add up. pcap_setfilter(), which tcpdump always calls, replaces this filter (filter.c).
 */
int bind(int fd, const struct sockaddr *address, socklen_t length)
{
	if (address->sa_family == AF_PACKET && !reject_all_packets(fd))
		return -1;
	return real.bind(fd, address, length);
}

int pcap_set_timeout(pcap_t *handle, int ms)
{
	(void)ms;
	return real.set_timeout(handle, BLOCK_TIMEOUT_MS);
}

/* Negative is an error, positive a warning. */
int pcap_activate(pcap_t *handle)
{
	int status = real.activate(handle);

	if (status >= 0) {
		capture.handle = handle;
		capture.fd = real.fileno(handle);
		report_interface_name();
		request_longer_time_slice();
	}
	return status;
}
