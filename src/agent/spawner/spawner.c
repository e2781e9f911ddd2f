/*
 * Starts the agent's tcpdumps, and passes on what they print. It is a process of its own, because one as large as the
 * agent is slow to fork, and waits for each child until that has executed its program
 * (docs/decisions/0023-a-small-process-starts-the-tcpdumps.md).
 *
 *   podcap-spawner PARENT USER LIBRARY STREAM_LIBRARY
 *
 *   PARENT    the process that has started it: when that dies, it is killed
 *   USER      number of the user, and of the group, that the programs run as
 *   LIBRARY   path of the library that is preloaded into the programs
 *   STREAM_LIBRARY
 *             path of the one that is preloaded into streaming programs
 *
 * It reads requests as frames from standard input and writes answers as frames to standard output. Every program
 * inherits descriptor 3. It ends when standard input does. However it ends, the kernel then sends SIGTERM to the
 * programs, and SIGKILL to those that stream.
 *
 * What a streaming program writes to standard output does not pass through here: the agent opens the reading end of its
 * pipe in /proc (docs/decisions/0039-the-agent-opens-the-pipe-of-a-tap-in-proc.md).
 */
#define _GNU_SOURCE
#include "enter-netns.h"
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum request {
	/* Starts a program. The payload is the path of a network namespace and the arguments, each with its NUL. */
	START = 1,
	/*
	 * The payload is for the program's standard input, which gets it whole or not at all. While its pipe is full, the
	 * newest one waits, and takes the place of one that waits already.
	 */
	INPUT,
	/* The payload is the number of a signal, in one byte. */
	SIGNAL,
	/* As START, with the other library and with a pipe as standard output. */
	START_STREAMING,
	/* The agent has opened the reading end of that pipe, or never will: it is closed here. */
	RELEASE,
};

enum answer {
	/*
	 * To START: the payload is the process, 0 if there is none; to START_STREAMING, also the descriptor of the reading end,
	 * which stays open until RELEASE.
	 */
	STARTED = 1,
	/* To SIGNAL, even when the program has ended already. */
	SIGNALLED,
	/* The payload is from the program's standard error. */
	OUTPUT,
	/* The last one of a program, after RELEASE: the payload is its status, as in waitpid(2). */
	ENDED,
};

/* Numbers have 32 bits in the machine's byte order. A payload follows. */
struct frame {
	/* The agent's number for the program. */
	uint32_t id;
	uint32_t kind;
	/* Of the payload, in bytes. */
	uint32_t length;
};

enum {
	MAX_PAYLOAD_BYTES = 65536,
	MAX_ARGUMENTS = 64,
	READ_BYTES = 4096,
	/* A pipe takes this much as a whole or not at all: pipe(7). More is discarded. */
	MAX_INPUT_BYTES = PIPE_BUF,
	/* What a streaming program writes while the agent is busy; the most that pipe(7) allows without privileges. */
	STREAM_BYTES = 1 << 20,
};

struct program;

/* A descriptor that epoll watches: which function handles its events, and for which program. */
struct source {
	void (*handle)(struct program *program);
	/* NULL for what concerns no program. */
	struct program *program;
};

struct program {
	struct program *next;
	uint32_t id;
	/* 0 once it has ended: until then no other process can have its number. */
	pid_t pid;
	int status;
	/* Our end of its standard input; `waiting` is what its pipe had no space for. */
	int input;
	char waiting[MAX_INPUT_BYTES];
	size_t waiting_bytes;
	struct source input_source;
	/* Our end of its standard error; -1 once that is closed. */
	int output;
	struct source output_source;
	/* The reading end of its standard output until the agent has released it; otherwise -1. */
	int stream;
};

static struct entry entry;
static const char *stream_library;
static struct program *programs;
static int epoll;
static int child_signals;

/* Parses a decimal number from 1 to 2^31 - 1, and nothing after it: 0 would be root. */
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

/* Blocks while the agent reads nothing: the programs' output waits meanwhile. */
static void answer(uint32_t id, enum answer kind, const void *payload, uint32_t length)
{
	char bytes[sizeof(struct frame) + READ_BYTES];
	struct frame frame = {.id = id, .kind = kind, .length = length};
	size_t count = sizeof(frame) + length;

	memcpy(bytes, &frame, sizeof(frame));
	memcpy(bytes + sizeof(frame), payload, length);
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
	answer(id, kind, &number, sizeof(number));
}

static struct program *find(uint32_t id)
{
	struct program *program = programs;

	while (program && program->id != id)
		program = program->next;
	return program;
}

static int watch(int fd, uint32_t events, struct source *source)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* close() is not enough: a child that is being started has it open, too, until it executes its program. */
static void unwatch(int fd)
{
	(void)epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* Answers ENDED, and forgets the program, once its process has ended and its output is closed. */
static void end_if_over(struct program *program)
{
	struct program **link = &programs;

	if (program->pid || program->output >= 0 || program->stream >= 0)
		return;
	while (*link != program)
		link = &(*link)->next;
	*link = program->next;
	unwatch(program->input);
	close(program->input);
	answer_number(program->id, ENDED, program->status);
	free(program);
}

static void pass_output_on(struct program *program)
{
	char bytes[READ_BYTES];
	ssize_t count = read(program->output, bytes, sizeof(bytes));

	if (count < 0 && errno == EINTR)
		return;
	if (count > 0) {
		answer(program->id, OUTPUT, bytes, count);
		return;
	}
	unwatch(program->output);
	close(program->output);
	program->output = -1;
	end_if_over(program);
}

/* Writes what waits, or tries again when the pipe has space. A program that has ended gets nothing. */
static void write_input(struct program *program)
{
	ssize_t written = write(program->input, program->waiting, program->waiting_bytes);

	if (written < 0 && errno == EAGAIN) {
		/* Fails if it is watched already. */
		(void)watch(program->input, EPOLLOUT, &program->input_source);
		return;
	}
	program->waiting_bytes = 0;
	unwatch(program->input);
}

static void take_input(struct program *program, const char *data, uint32_t length)
{
	if (length > MAX_INPUT_BYTES)
		return;
	memcpy(program->waiting, data, length);
	program->waiting_bytes = length;
	write_input(program);
}

/* `stream` is the writing end of its standard output; -1: it has none. */
static _Noreturn void become_program(char **argv, int input, int output, int stream)
{
	sigset_t none;

	sigemptyset(&none);
	if (dup2(output, STDERR_FILENO) < 0 || dup2(input, STDIN_FILENO) < 0)
		fail("pipes");
	/* Standard output is for answers, which are not the program's. */
	close(STDOUT_FILENO);
	if ((stream < 0 ? open("/dev/null", O_WRONLY) : dup(stream)) != STDOUT_FILENO)
		fail("standard output");
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	entry.netns = argv[0];
	entry.argv = argv + 1;
	if (stream >= 0) {
		entry.library = stream_library;
		/* It has nothing to write for anybody, and may be stopped. */
		entry.end_signal = SIGKILL;
	}
	enter(&entry);
}

static void close_both(const int pipe[2])
{
	close(pipe[0]);
	close(pipe[1]);
}

/* Makes the pipes of a program: [0] is read, [1] is written. Those that are not made are -1. */
static int make_pipes(int input[2], int output[2], int stream[2], bool streams)
{
	if (pipe2(input, O_CLOEXEC) || pipe2(output, O_CLOEXEC) || fcntl(input[1], F_SETFL, O_NONBLOCK))
		return -1;
	if (!streams)
		return 0;
	if (pipe2(stream, O_CLOEXEC))
		return -1;
	/* A smaller one does, too: pipes of one user share a limit. */
	(void)fcntl(stream[1], F_SETPIPE_SZ, STREAM_BYTES);
	return 0;
}

/* Returns the program, or NULL with errno when the system has no more processes, descriptors or memory. */
static struct program *start(uint32_t id, char **argv, bool streams)
{
	int input[2] = {-1, -1};
	int output[2] = {-1, -1};
	int stream[2] = {-1, -1};
	struct program *program = malloc(sizeof(*program));
	pid_t pid = -1;

	if (program) {
		program->output_source = (struct source){.handle = pass_output_on, .program = program};
		program->input_source = (struct source){.handle = write_input, .program = program};
		program->waiting_bytes = 0;
	}
	if (program && !make_pipes(input, output, stream, streams) &&
	    !watch(output[0], EPOLLIN, &program->output_source)) {
		pid = fork();
		if (pid == 0)
			become_program(argv, input[0], output[1], stream[1]);
	}
	int error = errno;

	if (pid < 0) {
		close_both(input);
		close_both(output);
		close_both(stream);
		free(program);
		errno = error;
		return NULL;
	}
	close(input[0]);
	close(output[1]);
	close(stream[1]);
	program->next = programs;
	program->id = id;
	program->pid = pid;
	program->status = 0;
	program->input = input[1];
	program->output = output[0];
	program->stream = stream[0];
	programs = program;
	return program;
}

static void handle_start(uint32_t id, char *payload, uint32_t length, bool streams)
{
	char *argv[MAX_ARGUMENTS + 1];
	int count = 0;

	for (uint32_t at = 0; at < length && count < MAX_ARGUMENTS; at += strlen(payload + at) + 1)
		argv[count++] = payload + at;
	argv[count] = NULL;

	struct program *program = start(id, argv, streams);
	int32_t started[2] = {program ? program->pid : 0, program ? program->stream : -1};

	if (program) {
		answer(id, STARTED, started, streams ? sizeof(started) : sizeof(started[0]));
		return;
	}
	char problem[128];
	int bytes = snprintf(problem, sizeof(problem), "podcap-spawner: no process: %s\n", strerror(errno));

	answer(id, STARTED, started, sizeof(started[0]));
	answer(id, OUTPUT, problem, bytes);
	answer_number(id, ENDED, 1 << 8);
}

static void release_stream(struct program *program)
{
	close(program->stream);
	program->stream = -1;
	end_if_over(program);
}

static void handle_request(const struct frame *frame, char *payload)
{
	struct program *program = find(frame->id);

	switch (frame->kind) {
	case START:
		handle_start(frame->id, payload, frame->length, false);
		break;
	case START_STREAMING:
		handle_start(frame->id, payload, frame->length, true);
		break;
	case INPUT:
		if (program)
			take_input(program, payload, frame->length);
		break;
	case SIGNAL:
		if (program && program->pid)
			kill(program->pid, payload[0]);
		answer(frame->id, SIGNALLED, payload, 0);
		break;
	case RELEASE:
		if (program && program->stream >= 0)
			release_stream(program);
		break;
	}
}

/* Reads what is available, and handles each complete request in it. */
static void read_requests(struct program *none)
{
	/* The last byte stays 0: it ends the last argument of a payload that has no NUL at its end. */
	static char bytes[sizeof(struct frame) + MAX_PAYLOAD_BYTES + 1];
	static size_t have;
	size_t done = 0;
	ssize_t count = read(STDIN_FILENO, bytes + have, sizeof(bytes) - 1 - have);

	(void)none;
	if (count < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (count < 0)
		fail("request");
	if (count == 0)
		exit(0);
	have += count;
	for (;;) {
		struct frame frame;

		if (have - done < sizeof(frame))
			break;
		memcpy(&frame, bytes + done, sizeof(frame));
		if (frame.length > MAX_PAYLOAD_BYTES) {
			errno = EMSGSIZE;
			fail("request");
		}
		if (have - done < sizeof(frame) + frame.length)
			break;
		handle_request(&frame, bytes + done + sizeof(frame));
		done += sizeof(frame) + frame.length;
	}
	memmove(bytes, bytes + done, have - done);
	have -= done;
}

static void reap_children(struct program *none)
{
	struct signalfd_siginfo info;
	pid_t pid;
	int status;

	(void)none;
	if (read(child_signals, &info, sizeof(info)) < 0)
		fail("children");
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct program *program = programs;

		while (program && program->pid != pid)
			program = program->next;
		if (!program)
			continue;
		program->pid = 0;
		program->status = status;
		end_if_over(program);
	}
}

static void prepare(int parent)
{
	static struct source requests = {.handle = read_requests};
	static struct source children = {.handle = reap_children};
	sigset_t child;

	signal(SIGPIPE, SIG_IGN);
	/* Whatever else the agent has open; a kernel before Linux 5.9 leaves it open. */
	(void)close_range(4, ~0u, 0);
	/* SIGKILL ends a stopped process, too. */
	end_with(parent, SIGKILL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	child_signals = signalfd(-1, &child, SFD_CLOEXEC);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (child_signals < 0 || epoll < 0 || watch(STDIN_FILENO, EPOLLIN, &requests) < 0 ||
	    watch(child_signals, EPOLLIN, &children) < 0)
		fail("events");
}

int main(int argc, char **argv)
{
	struct epoll_event ready;

	if (argc != 5) {
		fputs("usage: podcap-spawner PARENT USER LIBRARY STREAM_LIBRARY\n", stderr);
		return 1;
	}
	entry = (struct entry){.user = number(argv[2]), .library = argv[3], .parent = getpid(), .end_signal = SIGTERM};
	stream_library = argv[4];
	prepare(number(argv[1]));
	for (;;) {
		/* One at a time: to handle one may end the program that the next one is for. */
		int count = epoll_wait(epoll, &ready, 1, -1);

		if (count < 0 && errno != EINTR)
			fail("events");
		if (count > 0) {
			struct source *source = ready.data.ptr;

			source->handle(source->program);
		}
	}
}
