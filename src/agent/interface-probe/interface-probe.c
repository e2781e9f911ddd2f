/*
 * Prints to standard error what a network interface is, for the agent (capture/interface-probe.ts), which is in another
 * network namespace:
 *
 *   interface 7: driver veth, generic receive offload off
 *
 *   podcap-interface-probe INTERFACE
 *
 * It is a program of its own because the kernel answers under the RTNL lock, which others may hold for a second: the
 * capture must not wait for it (docs/decisions/0026-tcpdump-starts-without-the-rtnl-lock.md).
 */
#define _GNU_SOURCE
#include <err.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int fd;
static struct ifreq request;

static void ask(const char *what, unsigned long number)
{
	if (ioctl(fd, number, &request) < 0)
		err(1, "%s: %s", request.ifr_name, what);
}

int main(int argc, char **argv)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	struct ethtool_value offload = {.cmd = ETHTOOL_GGRO};

	if (argc != 2 || strlen(argv[1]) >= IFNAMSIZ)
		errx(2, "one argument: the name of an interface");
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		err(1, "socket");
	strcpy(request.ifr_name, argv[1]);

	ask("index", SIOCGIFINDEX);

	int index = request.ifr_ifindex;

	request.ifr_data = (void *)&driver;
	ask("driver", SIOCETHTOOL);
	request.ifr_data = (void *)&offload;
	ask("generic receive offload", SIOCETHTOOL);
	fprintf(stderr, "interface %d: driver %.*s, generic receive offload %s\n", index, (int)sizeof(driver.driver),
		driver.driver, offload.data ? "on" : "off");
	return 0;
}
