/*
 * Starts the agent's tcpdumps, and passes on what they say: a process of its own, because one as large as the agent is
 * slow to fork, and waits for each child until it has become another program
 * (docs/decisions/0023-a-small-process-starts-the-tcpdumps.md).
 *
 *   podcap-spawner PARENT USER LIBRARY
 *
 *   PARENT    the process that has started it: when that dies, it is killed
 *   USER      number of the user, and of the group, that the programs run as
 *   LIBRARY   path of what is preloaded into them
 *
 * Requests come as frames on standard input, answers go as frames to standard output. Descriptor 3 is handed on to
 * every program. It ends when standard input does; then, and however else it ends, the kernel tells the programs to.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "enter-netns.h"

enum request {
	/* Starts a program; the payload is the path of a network namespace and the arguments, each with its NUL. */
	START = 1,
	/* The payload is for the program's standard input; what it does not take at once is lost. */
	INPUT,
	/* The payload is the number of a signal, in one byte. */
	SIGNAL,
};

enum answer {
	/* To START: the payload is the process, 0 if there is none. */
	STARTED = 1,
	/* To SIGNAL, also when there is nobody left to be told. */
	SIGNALLED,
	/* The payload is from the program's standard error. */
	SAID,
	/* The last of a program: the payload is its status, as waitpid(2) has it. */
	ENDED,
};

/* Numbers are of 32 bits in the machine's order. A payload follows. */
struct frame {
	/* Of a program, as the agent has chosen it. */
	uint32_t id;
	uint32_t kind;
	/* Of the payload, in bytes. */
	uint32_t length;
};

#define LARGEST_PAYLOAD 65536
#define MOST_ARGUMENTS 64

struct program {
	struct program *next;
	uint32_t id;
	/* 0 once it has ended: nobody else can have its number before. */
	pid_t pid;
	int status;
	/* Its standard input. */
	int input;
	/* Its standard error; -1 once that has ended. */
	int said;
};

static struct entry entry;
static struct program *programs;
static int events;
static int ended_children;

/* The whole of a decimal number from 1 to 2^31 - 1: 0 would be root. */
static int number(const char *text)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || *end || value < 1 || value > 0x7fffffff) {
		errno = EINVAL;
		fail(text);
	}
	return value;
}

/* Waits while the agent takes nothing: what the programs say waits with it. */
static void answer(uint32_t id, enum answer kind, const void *payload, uint32_t length)
{
	char bytes[sizeof(struct frame) + 4096];
	struct frame frame = { .id = id, .kind = kind, .length = length };
	size_t count = sizeof frame + length;

	memcpy(bytes, &frame, sizeof frame);
	memcpy(bytes + sizeof frame, payload, length);
	for (size_t done = 0; done < count;) {
		ssize_t written = write(STDOUT_FILENO, bytes + done, count - done);

		if (written < 0 && errno != EINTR)
			fail("answer");
		if (written > 0)
			done += written;
	}
}

static void answer_number(uint32_t id, enum answer kind, int32_t number)
{
	answer(id, kind, &number, sizeof number);
}

static struct program *find(uint32_t id)
{
	struct program *each = programs;

	while (each && each->id != id)
		each = each->next;
	return each;
}

/* Tells the end of one of which nothing can come any more. */
static void end_if_over(struct program *program)
{
	struct program **link = &programs;

	if (program->pid || program->said >= 0)
		return;
	while (*link != program)
		link = &(*link)->next;
	*link = program->next;
	close(program->input);
	answer_number(program->id, ENDED, program->status);
	free(program);
}

static int watch(int fd, void *what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };

	return epoll_ctl(events, EPOLL_CTL_ADD, fd, &event);
}

static _Noreturn void become_program(char **argv, const int input[2], const int said[2])
{
	sigset_t none;
	int nothing;

	sigemptyset(&none);
	dup2(said[1], STDERR_FILENO);
	dup2(input[0], STDIN_FILENO);
	/* Answers are not for the program to give. */
	close(STDOUT_FILENO);
	nothing = open("/dev/null", O_WRONLY);
	if (nothing != STDOUT_FILENO)
		fail("/dev/null");
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	entry.netns = argv[0];
	entry.argv = argv + 1;
	enter(&entry);
}

/* Gives back 0, or -1 with errno when there are no processes, descriptors or memory left. */
static int start(uint32_t id, char **argv)
{
	int input[2] = { -1, -1 };
	int said[2] = { -1, -1 };
	struct program *program = malloc(sizeof *program);
	pid_t pid = -1;

	if (program && !pipe2(input, O_CLOEXEC) && !pipe2(said, O_CLOEXEC) && !watch(said[0], program)) {
		fcntl(input[1], F_SETFL, O_NONBLOCK);
		pid = fork();
		if (pid == 0)
			become_program(argv, input, said);
	}
	int error = errno;

	close(input[0]);
	close(said[1]);
	if (pid < 0) {
		close(input[1]);
		close(said[0]);
		free(program);
		errno = error;
		return -1;
	}
	*program = (struct program){ .next = programs, .id = id, .pid = pid, .input = input[1], .said = said[0] };
	programs = program;
	answer_number(id, STARTED, pid);
	return 0;
}

static void take_start(uint32_t id, char *payload, uint32_t length)
{
	char *argv[MOST_ARGUMENTS + 1];
	int count = 0;

	for (uint32_t at = 0; at < length && count < MOST_ARGUMENTS; at += strlen(payload + at) + 1)
		argv[count++] = payload + at;
	argv[count] = NULL;
	if (start(id, argv) == 0)
		return;
	char problem[128];
	int bytes = snprintf(problem, sizeof problem, "podcap-spawner: no process: %s\n", strerror(errno));

	answer_number(id, STARTED, 0);
	answer(id, SAID, problem, bytes);
	answer_number(id, ENDED, 1 << 8);
}

static void take(const struct frame *frame, char *payload)
{
	struct program *program = find(frame->id);

	switch (frame->kind) {
	case START:
		take_start(frame->id, payload, frame->length);
		break;
	case INPUT:
		if (program)
			write(program->input, payload, frame->length);
		break;
	case SIGNAL:
		if (program && program->pid)
			kill(program->pid, payload[0]);
		answer(frame->id, SIGNALLED, payload, 0);
		break;
	}
}

/* Reads what is there, and does what is whole of it. */
static void take_requests(void)
{
	static char bytes[sizeof(struct frame) + LARGEST_PAYLOAD + 1];
	static size_t have;
	size_t done = 0;
	ssize_t count = read(STDIN_FILENO, bytes + have, sizeof bytes - 1 - have);

	if (count < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (count < 0)
		fail("request");
	if (count == 0)
		exit(0);
	have += count;
	for (;;) {
		struct frame frame;

		if (have - done < sizeof frame)
			break;
		memcpy(&frame, bytes + done, sizeof frame);
		if (frame.length > LARGEST_PAYLOAD) {
			errno = EMSGSIZE;
			fail("request");
		}
		if (have - done < sizeof frame + frame.length)
			break;
		take(&frame, bytes + done + sizeof frame);
		done += sizeof frame + frame.length;
	}
	memmove(bytes, bytes + done, have - done);
	have -= done;
}

static void reap(void)
{
	struct signalfd_siginfo info;
	pid_t pid;
	int status;

	if (read(ended_children, &info, sizeof info) < 0)
		fail("children");
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct program *each = programs;

		while (each && each->pid != pid)
			each = each->next;
		if (!each)
			continue;
		each->pid = 0;
		each->status = status;
		end_if_over(each);
	}
}

static void pass_on(struct program *program)
{
	char bytes[4096];
	ssize_t count = read(program->said, bytes, sizeof bytes);

	if (count < 0 && errno == EINTR)
		return;
	if (count > 0) {
		answer(program->id, SAID, bytes, count);
		return;
	}
	/* One that is being started still has it, and events come until it becomes another program. */
	epoll_ctl(events, EPOLL_CTL_DEL, program->said, NULL);
	close(program->said);
	program->said = -1;
	end_if_over(program);
}

static void prepare(int parent)
{
	sigset_t children;

	signal(SIGPIPE, SIG_IGN);
	/* Whatever else the agent has open. */
	close_range(4, ~0u, 0);
	/* Also one that somebody has stopped. */
	end_with(parent, SIGKILL);
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
	ended_children = signalfd(-1, &children, SFD_CLOEXEC);
	events = epoll_create1(EPOLL_CLOEXEC);
	if (ended_children < 0 || events < 0 || watch(STDIN_FILENO, take_requests) < 0 || watch(ended_children, reap) < 0)
		fail("events");
}

int main(int argc, char **argv)
{
	struct epoll_event ready[64];

	if (argc != 4) {
		fputs("usage: podcap-spawner PARENT USER LIBRARY\n", stderr);
		return 1;
	}
	entry = (struct entry){ .user = number(argv[2]), .library = argv[3], .parent = getpid() };
	prepare(number(argv[1]));
	for (;;) {
		int count = epoll_wait(events, ready, 64, -1);

		if (count < 0 && errno != EINTR)
			fail("events");
		for (int each = 0; each < count; each += 1) {
			void *what = ready[each].data.ptr;

			if (what == take_requests)
				take_requests();
			else if (what == reap)
				reap();
			else
				pass_on(what);
		}
	}
}
