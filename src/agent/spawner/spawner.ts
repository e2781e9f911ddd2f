import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { answers, frameOf, frameReader, numberAt, requests } from './spawner-frames.ts';
import { openStream } from './spawner-stream.ts';

/**
 * podcap-spawner (spawner.c), a small child process that starts the tcpdumps and passes on their output. When it dies,
 * the kernel signals them to end, as it does when the agent dies.
 */
export type Spawner = AsyncDisposable & {
  /** Never throws for a system error: a program that cannot be started has ended, and `ended` says why. */
  readonly start: (command: Command) => Program;
  readonly pid: number | undefined;
};

export type StreamingSpawner = Spawner & {
  /** Starts a program with the library of taps, whose standard output is read here. */
  readonly startStreaming: (command: Command) => StreamingProgram;
};

export type Command = {
  /** Path of the network namespace that the program runs in. */
  readonly netns: string;
  /** The program, which is searched in PATH, and its arguments. */
  readonly argv: readonly [string, ...string[]];
  /** Called with each line of its standard error; all of them arrive before `ended` resolves. */
  readonly onLine: (line: string) => void;
};

export type Program = {
  /** Undefined until it is started. */
  readonly pid: () => number | undefined;
  /**
   * Writes up to 4,096 bytes to its standard input, as a whole. While its pipe is full, only the newest text waits.
   * Never blocks; a program that ends may not get the text.
   */
  readonly write: (text: string) => void;
  /** No other process can get the signal: a process keeps its ID until podcap-spawner has reaped it. */
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Resolves with how it ended, in words, when the process is gone. Never rejects. */
  readonly ended: Promise<string>;
};

export type StreamingProgram = Program & {
  /** Its standard output, which whoever gets it must destroy; undefined if it was not started. Never rejects. */
  readonly stream: Promise<Readable | undefined>;
};

export type SpawnerOptions = {
  /** The folder of podcap-spawner, podcap-preload.so (preload/), podcap-tap-preload.so (tap-preload/) and podcap-interface-probe. */
  readonly nativeFolder: string;
  /** The user ID and group ID that the programs run with: numbers need no passwd entry. */
  readonly userId: number;
  /** Becomes descriptor 3 of the programs, where the preload library expects it (preload/write-buffer.c). */
  readonly bufferSlotsFd?: number | undefined;
  /** It ended by itself, or was killed because it did not answer: no program runs any more. */
  readonly onLost: (why: string) => void;
};

/**
 * A podcap-spawner that answers nothing during two of these intervals has been stopped. During one it may have been the
 * agent that was stopped.
 */
const answerMs = 5_000;
/** A longer line is cut here. */
const longestLine = 65_536;

/** Starts podcap-spawner. Never throws: one that cannot be started is lost. */
export function startSpawner(options: SpawnerOptions): StreamingSpawner {
  const programs = new Map<number, RunningProgram>();
  const watchdog = answerWatchdog(() => child.kill('SIGKILL'));
  let lastId = 0;
  let isEnding = false;
  let gone: string | undefined;

  const child = spawnChild(options);
  // Node omits the streams if it cannot be started. Errors show in how it ends.
  child.stdin?.on('error', () => {});
  const readFrames = frameReader();
  child.stdout?.on('data', (bytes: Buffer) => {
    for (const { id, kind, payload } of readFrames(bytes)) {
      if (kind === answers.started || kind === answers.signalled) watchdog.answered();
      const program = programs.get(id);
      if (kind === answers.ended) programs.delete(id);
      program?.onAnswer(kind, payload);
    }
  });
  const ended = once(child, 'close')
    .then(([code, signal]: (number | string | null)[]) => exitOf(code, signal))
    .catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
    .then((exit) => {
      gone = `podcap-spawner: ${exit}`;
      watchdog[Symbol.dispose]();
      for (const program of programs.values()) program.end(gone);
      programs.clear();
      if (!isEnding) options.onLost(gone);
    });

  function request(id: number, kind: number, payload: Buffer): void {
    const frame = frameOf(id, kind, payload);
    if (isAnswered(kind)) watchdog.asked();
    child.stdin?.write(frame);
  }

  function start({ netns, argv, onLine }: Command, kind: number) {
    const strings = [netns, ...argv];
    const program = runningProgram(onLine);
    const { pid, ended: programEnded } = program;
    lastId += 1;
    const id = lastId;
    const refusal = strings.some((string) => string.includes('\0')) ? 'a NUL in an argument' : gone;
    if (refusal !== undefined) program.end(refusal);
    else {
      request(id, kind, Buffer.from(strings.map((string) => `${string}\0`).join('')));
      programs.set(id, program);
    }
    return {
      id,
      streamFd: program.streamFd,
      program: {
        pid,
        write(text) {
          if (programs.has(id)) request(id, requests.input, Buffer.from(text));
        },
        kill(signal) {
          if (programs.has(id)) request(id, requests.signal, Buffer.from([constants.signals[signal]]));
        },
        ended: programEnded,
      } satisfies Program,
    };
  }

  async function takeStream(id: number, streamFd: Promise<number | undefined>) {
    const fd = await streamFd;
    if (fd === undefined || child.pid === undefined) return undefined;
    const stream = await openStream(child.pid, fd);
    if (programs.has(id)) request(id, requests.release, Buffer.alloc(0));
    return stream;
  }

  return {
    pid: child.pid,
    start: (command) => start(command, requests.start).program,
    startStreaming(command) {
      const { id, program, streamFd } = start(command, requests.startStreaming);
      return { ...program, stream: takeStream(id, streamFd) };
    },
    async [Symbol.asyncDispose]() {
      isEnding = true;
      // The end of the process counts as an answer.
      if (gone === undefined) watchdog.asked();
      child.stdin?.end();
      await ended;
    },
  };
}

/** Preloaded into programs, and into those that stream. */
const libraries = ['podcap-preload.so', 'podcap-tap-preload.so'];

function isAnswered(kind: number): boolean {
  return kind !== requests.input && kind !== requests.release;
}

function spawnChild({ nativeFolder, userId, bufferSlotsFd }: SpawnerOptions): ChildProcess {
  return spawn(
    join(nativeFolder, 'podcap-spawner'),
    [`${process.pid}`, `${userId}`, ...libraries.map((library) => join(nativeFolder, library))],
    {
      stdio: ['pipe', 'pipe', 'inherit', bufferSlotsFd ?? 'ignore'],
      // The processes that read packets get none of the agent's environment.
      env: { PATH: `${process.env['PATH']}:${nativeFolder}`, LC_ALL: 'C' },
    },
  );
}

type RunningProgram = {
  readonly pid: () => number | undefined;
  readonly ended: Promise<string>;
  /** The spawner's descriptor of its standard output; undefined if it has none, or is not started. */
  readonly streamFd: Promise<number | undefined>;
  readonly onAnswer: (kind: number, payload: Buffer) => void;
  readonly end: (exit: string) => void;
};

function runningProgram(onLine: (line: string) => void): RunningProgram {
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  const { promise: streamFd, resolve: setStreamFd } = Promise.withResolvers<number | undefined>();
  const decoder = new StringDecoder('utf8');
  let pid: number | undefined;
  let rest = '';

  function onText(text: string): void {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    if (rest.length < longestLine) return;
    onLine(rest);
    rest = '';
  }

  function end(exit: string): void {
    onText(decoder.end());
    if (rest !== '') onLine(rest);
    setStreamFd(undefined);
    resolve(exit);
  }

  function onStarted(payload: Buffer): void {
    pid = numberAt(payload, 0) || undefined;
    setStreamFd(payload.length > 4 ? numberAt(payload, 4) : undefined);
  }

  return {
    pid: () => pid,
    ended,
    streamFd,
    end,
    onAnswer(kind, payload) {
      if (kind === answers.started) onStarted(payload);
      else if (kind === answers.output) onText(decoder.write(payload));
      else if (kind === answers.ended) end(exitOfStatus(numberAt(payload, 0)));
    },
  };
}

/** Calls back if an answer is due and none arrives during two intervals. */
function answerWatchdog(onSilence: () => void) {
  let waiting = 0;
  let silentTicks = 0;
  let timer: NodeJS.Timeout | undefined;
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
  };
  return {
    asked() {
      waiting += 1;
      timer ??= setInterval(() => {
        silentTicks += 1;
        if (silentTicks === 2) onSilence();
      }, answerMs);
    },
    answered() {
      waiting -= 1;
      silentTicks = 0;
      if (waiting === 0) stop();
    },
    [Symbol.dispose]: stop,
  };
}

/** How a process ended, in words, from its waitpid(2) status. */
function exitOfStatus(status: number): string {
  const number = status & 0x7f;
  const signal = Object.entries(constants.signals).find(([, each]) => each === number)?.[0];
  return exitOf((status >> 8) & 0xff, number === 0 ? null : (signal ?? `signal ${number}`));
}

function exitOf(
  code: number | string | null | undefined,
  signal: number | string | null | undefined,
): string {
  return signal === null || signal === undefined ? `exit code ${code}` : `ended by ${signal}`;
}
