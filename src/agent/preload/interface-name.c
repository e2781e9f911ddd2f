/*
 * A socket is bound to an interface by its index, and stays with it when the interface is renamed, even if another one
 * gets the old name. The agent finds an interface's counters by its name: it is told each change before it gets
 * statistics.
 */
#include "interface-name.h"

#include "preload.h"
#include "stop.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct pcap_stat;

static struct {
	pcap_t *(*create)(const char *, char *);
	int (*stats)(pcap_t *, struct pcap_stat *);
} real;

/* Not the one of ioctl.c, which uses this file. */
static int (*real_ioctl)(int, unsigned long, ...);

__attribute__((constructor)) static void find_real_functions(void)
{
	find_real(&real_ioctl, "ioctl");
	find_real(&real.create, "pcap_create");
	find_real(&real.stats, "pcap_stats");
}

/* The name that tcpdump was started with. */
static char requested_name[IFNAMSIZ];

int captured_interface(void)
{
	struct sockaddr_ll bound = {0};
	socklen_t length = sizeof(bound);

	return getsockname(capture.fd, (struct sockaddr *)&bound, &length) == 0 ? bound.sll_ifindex : 0;
}

void report_interface_name(void)
{
	static struct {
		char name[IFNAMSIZ];
		int holder;
	} reported;
	int index = captured_interface();
	struct ifreq captured = {.ifr_ifindex = index}, requested = {0};

	/* A deleted interface has no name: tcpdump ends. */
	if (index <= 0 || real_ioctl(capture.fd, SIOCGIFNAME, &captured) < 0)
		return;
	memcpy(requested.ifr_name, requested_name, IFNAMSIZ);

	int holder = real_ioctl(capture.fd, SIOCGIFINDEX, &requested) < 0 ? 0 : requested.ifr_ifindex;

	if (holder == reported.holder && strncmp(captured.ifr_name, reported.name, IFNAMSIZ) == 0)
		return;
	dprintf(STDERR_FILENO, "podcap: captures interface %d, named %.*s; %s is interface %d\n", index, IFNAMSIZ,
		captured.ifr_name, requested_name, holder);
	memcpy(reported.name, captured.ifr_name, IFNAMSIZ);
	reported.holder = holder;
}

pcap_t *pcap_create(const char *device, char *error)
{
	if (device != NULL && strlen(device) < IFNAMSIZ)
		strcpy(requested_name, device);
	return real.create(device, error);
}

/* tcpdump calls it in its handler of SIGUSR1, too, where it prints as well. */
int pcap_stats(pcap_t *handle, struct pcap_stat *stats)
{
	int saved_errno = errno;

	if (handle == capture.handle)
		report_interface_name();
	errno = saved_errno;
	return real.stats(handle, stats);
}
