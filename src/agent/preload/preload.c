/*
 * podcap-preload.so, which the agent preloads into each of its tcpdumps, and into nothing else. With it a capture that
 * stops loses no packet that the kernel has taken for it, and each packet is in a file or in a count.
 *
 * It interposes 5 functions of libc and 12 of libpcap (interposed-functions.integration.test.ts compares this table with
 * what the library exports):
 *
 *   function           file               why
 *   bind               start.c            the socket neither takes nor counts a packet before its filter is set
 *   ioctl              ioctl.c            asks about the interface by its index, and without waiting for the RTNL lock
 *   poll               poll.c             writes before tcpdump sleeps, and at the end lets libpcap read the last block
 *   __poll_chk         poll.c             the same, for a libpcap that is compiled with _FORTIFY_SOURCE
 *   setsockopt         filter.c           notes whether the kernel takes the filter, and where the receive ring is
 *   pcap_create        interface-name.c   notes the name of the interface that tcpdump is started with
 *   pcap_stats         interface-name.c   reports a renamed interface before tcpdump prints its statistics
 *   pcap_set_timeout   start.c            keeps the block timeout at a second: each timeout wakes a core
 *   pcap_activate      start.c            notes which handle captures, and requests a longer time slice
 *   pcap_compile       filter.c           reports why a filter does not compile on this link type, and bounds its time
 *   pcap_setfilter     filter.c           the kernel alone filters: tcpdump alone loses packets with some filters
 *   pcap_breakloop     stop.c             rejects packets before the loop ends, so that libpcap can empty the ring
 *   pcap_dump_open     dumper.c           starts the ring's next file, and prunes: tcpdump alone overwrites its files
 *   pcap_dump          dumper.c           buffers the packet: tcpdump alone writes each by itself, and ignores errors
 *   pcap_dump_flush    dumper.c           does nothing: -U asks for it after each packet, and poll() writes in time
 *   pcap_dump_ftell64  dumper.c           counts what is buffered: -C compares it with the size of a file
 *   pcap_dump_close    dumper.c           does nothing: no dumper of libpcap's is open
 *
 * What only the library knows it reports on standard error (src/agent/capture/tcpdump-output.ts reads it):
 *
 *   podcap: file 9 after 7440 packets, 930 of them pruned
 *                                    the ninth file has been started; the 8 before it have, or had, 7440 packets
 *   podcap: file deleted             the file that is being written, by another process
 *   podcap: not written: ENOSPC      a file cannot be written or created: the capture stops, as at SIGTERM
 *   podcap: 17 packets in no file    follows at the end: how many of tcpdump's captured packets are in no file
 *   podcap: interface down           and "up": the interface exists, and no packets pass while it is down
 *   podcap: keeps 5                  the number of files that the agent has sent last is in effect; 0 keeps all
 *   podcap: receive ring full        the kernel drops packets, or is about to; every 10 s at most
 *   podcap: filter not compiled for RAW (Raw IP): no VLAN support for Raw IP
 *                                    the link type of the interface, and libpcap's words; tcpdump ends
 *   podcap: filter takes too long to compile
 *                                    tcpdump ends
 *   podcap: filter of 24 instructions with a loop not in the kernel: EINVAL
 *                                    or without "with a loop"; EOPNOTSUPP: libpcap cannot put it there; tcpdump ends
 *   podcap: captures interface 7, named eth1; eth0 is interface 9
 *                                    at the start, and after each change: the capture was started on eth0, whose
 *                                    interface is now called eth1; interface 9 has its name (0: none has it)
 *
 * The kernel fills a capture's receive ring block by block (TPACKET_V3, packet_mmap.rst), and retires a block when it
 * is full or when its timeout, a second, has passed. At the end tcpdump alone drops the block that is still open: of
 * the last 1,000 datagrams of a deleted Pod its file has none. With the library
 *
 *   start   the socket receives nothing until its filter is set: what it counts is what the filter lets in;
 *   end     the first poll() that would end the loop (the interface is gone, or a signal came) retires the open block
 *           (last-block.c) and returns "readable" once; libpcap empties the ring; the next poll() ends the loop.
 *
 * This relies on three habits of libpcap 1.10 (pcap-linux.c): it reads every retired block before it polls again, the
 * packet socket is the first descriptor that it polls, and an interrupted poll() ends the loop after pcap_breakloop().
 * preload.integration.test.ts fails when one of them changes.
 *
 * Each file depends only on files after it in this list: start.c, poll.c, dumper.c, ioctl.c, interface-name.c,
 * files-to-keep.c, stop.c, ring.c, write-buffer.c, filter.c, last-block.c, receive-ring.c, time-slice.c, preload.c.
 */
#define _GNU_SOURCE
#include "preload.h"

#include <dlfcn.h>
#include <string.h>

void find_real(void *function_pointer, const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	/* Copied, not cast: ISO C has no conversion from an object pointer to a function pointer (dlsym(3)). */
	memcpy(function_pointer, &symbol, sizeof(symbol));
}
