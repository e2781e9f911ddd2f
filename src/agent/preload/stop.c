/*
 * Stops a capture without losing what the kernel has taken for it: rejects further packets, and leaves it to poll.c to
 * end the loop when libpcap has read the rest.
 *
 * tcpdump has one thread and one capture. Its handler of TERM, INT, HUP and PIPE calls pcap_breakloop() and nothing
 * else of libpcap, so pcap_breakloop() here is safe in a signal handler (signal-safety(7)).
 */
#include "stop.h"

#include <errno.h>
#include <linux/filter.h>
#include <stddef.h>
#include <sys/socket.h>

struct capture capture = {.fd = -1};

static void (*real_breakloop)(pcap_t *);
static int (*real_setsockopt)(int, int, int, const void *, socklen_t);

__attribute__((constructor)) static void find_real_functions(void)
{
	find_real(&real_breakloop, "pcap_breakloop");
	find_real(&real_setsockopt, "setsockopt");
}

/* The filter is one instruction, "accept 0 bytes". */
bool reject_all_packets(int fd)
{
	static struct sock_filter instructions[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	static const struct sock_fprog program = {.len = 1, .filter = instructions};

	return real_setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

/*
 * Runs in a signal handler, at any moment: in the middle of a packet's callback, before poll(), within it.
 * The filter comes first, so that the counters no longer change and the ring can be emptied. poll() breaks the
 * loop: libpcap would break off within the block that it is reading.
 * A second call changes nothing: the stop takes a bounded time, and SIGKILL is for what cannot wait for it.
 */
void pcap_breakloop(pcap_t *handle)
{
	int saved_errno = errno;

	if (handle == capture.handle && reject_all_packets(capture.fd))
		capture.is_stopping = 1;
	else
		real_breakloop(handle); /* nothing to flush: a file is being read, or the socket is unusable */
	errno = saved_errno;
}

void stop_capture(void)
{
	if (capture.handle != NULL)
		pcap_breakloop(capture.handle);
}

void break_loop(void)
{
	real_breakloop(capture.handle);
}
