/*
 * What libpcap asks the kernel about its interface.
 *
 * Before it captures, libpcap asks the kernel which kinds of timestamps the interface supports, for tcpdump -J to list.
 * The kernel answers under the lock under which all networks of the Node are made, changed and removed (the RTNL lock):
 * where many Pods are created at once, a capture started up to 0.7 s later, for an answer that is not used. The library
 * answers as a kernel that cannot be asked; the timestamps stay the same
 * (docs/decisions/0026-tcpdump-starts-without-the-rtnl-lock.md).
 *
 * When the interface was down, libpcap asks whether it is up again, by the name that it was started with. The interface
 * may have been renamed meanwhile: the library asks about the one that the socket is bound to.
 */
#include "interface-name.h"
#include "preload.h"
#include "stop.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/ioctl.h>

static int (*real_ioctl)(int, unsigned long, ...);

__attribute__((constructor)) static void find_real_functions(void)
{
	find_real(&real_ioctl, "ioctl");
}

static bool is_timestamp_query(unsigned long request, const void *argument)
{
	if (request != SIOCETHTOOL)
		return false;

	const __u32 *command = (const void *)((const struct ifreq *)argument)->ifr_data;

	return *command == ETHTOOL_GET_TS_INFO;
}

static int query_flags_of_captured(struct ifreq *asked)
{
	struct ifreq captured = {.ifr_ifindex = captured_interface()};

	if (real_ioctl(capture.fd, SIOCGIFNAME, &captured) < 0 || real_ioctl(capture.fd, SIOCGIFFLAGS, &captured) < 0)
		return -1;
	asked->ifr_flags = captured.ifr_flags;
	return 0;
}

/* The kernel takes one more argument, whatever its type is. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;

	va_start(arguments, request);

	void *argument = va_arg(arguments, void *);

	va_end(arguments);
	if (is_timestamp_query(request, argument)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (request == SIOCGIFFLAGS && fd == capture.fd)
		return query_flags_of_captured(argument);
	return real_ioctl(fd, request, argument);
}
