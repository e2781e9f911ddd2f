/*
 * Before it captures, libpcap asks the kernel which kinds of time stamps the interface can give, so that tcpdump -J
 * could list them. The kernel answers under the lock under which all of the Node's networks are made, changed and
 * removed (rtnetlink's): where many Pods come at once, a capture began up to 0.7 s later for an answer that nobody
 * wants. Here the answer is that of a kernel that cannot be asked; the time stamps are the same
 * (docs/decisions/0026-tcpdump-starts-without-the-rtnl-lock.md).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/ioctl.h>

static int (*real_ioctl)(int, unsigned long, ...);

__attribute__((constructor)) static void find_real_ioctl(void)
{
	*(void **)&real_ioctl = dlsym(RTLD_NEXT, "ioctl");
}

static bool asks_for_time_stamps(unsigned long request, const void *argument)
{
	if (request != SIOCETHTOOL)
		return false;

	const __u32 *command = (const void *)((const struct ifreq *)argument)->ifr_data;

	return *command == ETHTOOL_GET_TS_INFO;
}

/* The kernel takes one argument more, whatever it is. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;

	va_start(arguments, request);

	void *argument = va_arg(arguments, void *);

	va_end(arguments);
	if (asks_for_time_stamps(request, argument)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return real_ioctl(fd, request, argument);
}
