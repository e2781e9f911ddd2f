/*
 * Sends numbered datagrams, "seq=<number>" padded with dots, at a steady rate: up to a count, until SIGTERM, or until
 * the network refuses one (the interface is gone). At the end prints how many the kernel accepted, and why it ended.
 *
 *   sender IPV4-ADDRESS PORT FIRST-NUMBER COUNT PACKETS-PER-SECOND PAYLOAD-BYTES
 *
 * A COUNT of 0 has no end, PACKETS-PER-SECOND of 0 no limit.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { NS_PER_S = 1000000000, MAX_BYTES = 65507 };

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

/* The time of the n-th datagram counts from the start, so that one late wakeup does not lower the rate. */
static void wait_until_due(const struct timespec *start, long long n, long long per_second)
{
	struct timespec now, due = *start;

	if (per_second == 0)
		return;
	due.tv_sec += n / per_second;
	due.tv_nsec += n % per_second * NS_PER_S / per_second;
	if (due.tv_nsec >= NS_PER_S) {
		due.tv_sec += 1;
		due.tv_nsec -= NS_PER_S;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec < due.tv_sec || (now.tv_sec == due.tv_sec && now.tv_nsec < due.tv_nsec))
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

int main(int argc, char **argv)
{
	if (argc != 7)
		errx(2, "six arguments");

	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
	long long first = atoll(argv[3]), count = atoll(argv[4]), per_second = atoll(argv[5]), sent = 0;
	int bytes = atoi(argv[6]);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	static char payload[MAX_BYTES + 1];
	struct timespec start;

	if (fd < 0 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || bytes < 1 || bytes > MAX_BYTES)
		errx(2, "bad arguments");
	signal(SIGTERM, stop);
	clock_gettime(CLOCK_MONOTONIC, &start);

	const char *reason = "count";

	while (count == 0 || sent < count) {
		if (stopped) {
			reason = "stopped";
			break;
		}
		wait_until_due(&start, sent, per_second);
		memset(payload, '.', bytes);

		int digits = snprintf(payload, sizeof(payload), "seq=%lld", first + sent);

		if (digits < bytes)
			payload[digits] = '.';
		if (sendto(fd, payload, bytes, 0, (struct sockaddr *)&to, sizeof(to)) == bytes) {
			sent += 1;
		} else if (errno != EINTR && errno != ENOBUFS) {
			reason = strerrorname_np(errno);
			break;
		}
	}
	printf("sent %lld, %s\n", sent, reason);
	return 0;
}
