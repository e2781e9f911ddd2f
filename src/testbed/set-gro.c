/*
 * Turns generic receive offload of an interface on or off, as `ethtool -K INTERFACE gro on|off` does.
 *
 *   set-gro INTERFACE on|off
 */
#include <err.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	if (argc != 3 || strlen(argv[1]) >= IFNAMSIZ)
		errx(2, "two arguments");

	struct ethtool_value offload = {.cmd = ETHTOOL_SGRO, .data = strcmp(argv[2], "on") == 0};
	struct ifreq request = {.ifr_data = (void *)&offload};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strcpy(request.ifr_name, argv[1]);
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &request) < 0)
		err(1, "%s", argv[1]);
	return 0;
}
