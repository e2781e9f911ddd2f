import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { answers, frameOf, frameReader, numberAt, requests } from './spawner-frames.ts';

/**
 * podcap-spawner (spawner.c), a small process of the agent's that starts the tcpdumps and passes on what they say. When
 * it dies, the kernel tells them to end, as it does when the agent dies.
 */
export type Spawner = AsyncDisposable & {
  /** Never throws for what the system does: a program that cannot be started ends, and says why. */
  readonly start: (command: Command) => Program;
  readonly pid: number | undefined;
};

export type Command = {
  /** Path of the network namespace that the program runs in. */
  readonly netns: string;
  /** The program, which is looked for in PATH, and its arguments. */
  readonly argv: readonly [string, ...string[]];
  /** What it says on its standard error; all of it has come when it has ended. */
  readonly onLine: (line: string) => void;
};

export type Program = {
  /** Undefined until it is started. */
  readonly pid: () => number | undefined;
  /** For its standard input. One that does not read for long, or ends, may not get it. */
  readonly write: (text: string) => void;
  /** Nobody else can be hit: a process keeps its number until podcap-spawner has seen its end. */
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Resolves with its exit in words when it is gone. Never rejects. */
  readonly ended: Promise<string>;
};

export type SpawnerOptions = {
  /** The folder of podcap-spawner and podcap-preload.so (drain/). */
  readonly nativeFolder: string;
  /** The user and group that the programs run as; a number, so that no passwd entry is needed. */
  readonly userId: number;
  /** Descriptor 3 of the programs, as the library wants it (preload/write-buffer.c). */
  readonly bufferSlotsFd?: number | undefined;
  /** It is gone though nobody ended it, or was killed because it did not answer: nothing runs any more. */
  readonly onLost: (why: string) => void;
};

/** One that answers nothing for two of these is stopped by somebody; the agent may have been, for one. */
const answerMs = 5_000;
/** A line that does not end is cut here. */
const longestLine = 65_536;

export function startSpawner({ nativeFolder, userId, bufferSlotsFd, onLost }: SpawnerOptions): Spawner {
  const programs = new Map<number, RunningProgram>();
  const awaiting = answerTimer(() => child.kill('SIGKILL'));
  let lastId = 0;
  let isEnding = false;
  let gone: string | undefined;

  const child = spawn(
    join(nativeFolder, 'podcap-spawner'),
    [`${process.pid}`, `${userId}`, join(nativeFolder, 'podcap-preload.so')],
    {
      stdio: ['pipe', 'pipe', 'inherit', bufferSlotsFd ?? 'ignore'],
      // Nothing of the agent's environment reaches the processes that read packets.
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    },
  );
  // Node leaves them out when it cannot be started. Its end is told where it is awaited.
  child.stdin?.on('error', () => {});
  const readFrames = frameReader();
  child.stdout?.on('data', (bytes: Buffer) => {
    for (const { id, kind, payload } of readFrames(bytes)) {
      if (kind === answers.started || kind === answers.signalled) awaiting.answered();
      const program = programs.get(id);
      if (kind === answers.ended) programs.delete(id);
      program?.take(kind, payload);
    }
  });
  const ended = once(child, 'close')
    .then(([code, signal]: (number | string | null)[]) => exitOf(code, signal))
    .catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
    .then((exit) => {
      gone = `podcap-spawner: ${exit}`;
      awaiting[Symbol.dispose]();
      for (const program of programs.values()) program.end(gone);
      programs.clear();
      if (!isEnding) onLost(gone);
    });

  function ask(id: number, kind: number, payload: Buffer): void {
    const frame = frameOf(id, kind, payload);
    if (kind !== requests.input) awaiting.asked();
    child.stdin?.write(frame);
  }

  return {
    pid: child.pid,
    start({ netns, argv, onLine }) {
      const words = [netns, ...argv];
      const program = running(onLine);
      const { pid, ended: programEnded } = program;
      lastId += 1;
      const id = lastId;
      const refusal = words.some((word) => word.includes('\0')) ? 'a NUL in an argument' : gone;
      if (refusal !== undefined) program.end(refusal);
      else {
        ask(id, requests.start, Buffer.from(words.map((word) => `${word}\0`).join('')));
        programs.set(id, program);
      }
      return {
        pid,
        write(text) {
          if (programs.has(id)) ask(id, requests.input, Buffer.from(text));
        },
        kill(signal) {
          if (programs.has(id)) ask(id, requests.signal, Buffer.from([constants.signals[signal]]));
        },
        ended: programEnded,
      };
    },
    async [Symbol.asyncDispose]() {
      isEnding = true;
      // Its end is an answer too.
      if (gone === undefined) awaiting.asked();
      child.stdin?.end();
      await ended;
    },
  };
}

type RunningProgram = {
  readonly pid: () => number | undefined;
  readonly ended: Promise<string>;
  readonly take: (kind: number, payload: Buffer) => void;
  readonly end: (exit: string) => void;
};

function running(onLine: (line: string) => void): RunningProgram {
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  const decoder = new StringDecoder('utf8');
  let pid: number | undefined;
  let rest = '';

  function say(text: string): void {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    if (rest.length < longestLine) return;
    onLine(rest);
    rest = '';
  }

  function end(exit: string): void {
    say(decoder.end());
    if (rest !== '') onLine(rest);
    resolve(exit);
  }

  return {
    pid: () => pid,
    ended,
    end,
    take(kind, payload) {
      if (kind === answers.started) pid = numberAt(payload, 0) || undefined;
      else if (kind === answers.said) say(decoder.write(payload));
      else if (kind === answers.ended) end(exitOfStatus(numberAt(payload, 0)));
    },
  };
}

/** Calls back when something has been asked for, and nothing was answered, through two of its ticks. */
function answerTimer(onSilence: () => void) {
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

/** From waitpid(2), in words. */
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
