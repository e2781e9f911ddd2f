/*
 * Makes a tun interface of any kind: its link type is what the hardware type (ARPHRD_* of <linux/if_arp.h>) says. It
 * stays.
 *
 *   tun INTERFACE HARDWARE-TYPE
 */
#include <err.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

int main(int argc, char **argv)
{
	if (argc != 3)
		errx(2, "two arguments");

	struct ifreq request = {.ifr_flags = IFF_TUN};
	int fd = open("/dev/net/tun", O_RDWR);

	strncpy(request.ifr_name, argv[1], IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETLINK, (long)atoi(argv[2])) < 0 ||
	    ioctl(fd, TUNSETPERSIST, 1L) < 0)
		err(1, "%s", argv[1]);
	return 0;
}
