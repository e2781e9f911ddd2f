import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';

/** One running tcpdump inside one network namespace. */
export type Tcpdump = {
  readonly pid: number | undefined;
  /** Resolves when packets are being captured, or with how it ended if that never came. Never rejects. */
  readonly started: Promise<Listening | Ending>;
  /** Resolves when the process is gone. Never rejects. */
  readonly ended: Promise<Ending>;
  readonly hasEnded: () => boolean;
  /** Keeps so many files from now on; fewer when the next one begins. */
  readonly keep: (files: number) => void;
  /** What tcpdump has counted by now; undefined when it ends before it can say. */
  readonly count: () => Promise<Statistics | undefined>;
  /**
   * Ends it: `drain` writes out what the kernel holds first, `discard` does not.
   * Whatever does not end by itself within `killAfterMs` is killed.
   */
  readonly stop: (how: StopHow) => Promise<Ending>;
  /** The same, because something is wrong with it, in words for people; a stop that was asked for before goes on. */
  readonly giveUp: (how: StopHow, message: string) => Promise<Ending>;
};

export type StopHow = 'drain' | 'discard';

export type Listening = { readonly kind: 'listening' };

export type Ending = {
  readonly kind: 'ended';
  readonly cause: EndingCause;
  /** tcpdump's own last words, for people. */
  readonly message: string;
  /** What tcpdump counted; undefined when it was killed before it could say. */
  readonly statistics: Statistics | undefined;
  /** What kept it from writing a file, as errno(3) names it; it ends by itself then (drain/write.c). */
  readonly writeError: string | undefined;
  /** How many of the captured packets are in no file for that. */
  readonly unwritten: number;
};

/** What a tcpdump has written so far, but the newest file. */
export type FilesBegun = {
  readonly begun: number;
  /** In packets, in the files before the newest. */
  readonly packets: number;
  /** How many of these it has deleted. */
  readonly pruned: number;
};

/** `stopped`: we asked. `interfaceGone`: the Pod's network was torn down. `failed`: everything else. */
export type EndingCause = 'stopped' | 'interfaceGone' | 'failed';

/** In packets. received = captured + dropped + lost at the stop (tcpdump(1); received contains the dropped). */
export type Statistics = {
  readonly captured: number;
  readonly received: number;
  readonly dropped: number;
};

export type TcpdumpOptions = {
  /** Path of the network namespace, for example /run/netns/cni-…. */
  readonly netns: string;
  readonly interface: string;
  /** Path of the capture files without their index. */
  readonly file: string;
  /** Size at which the next file begins, in tcpdump's megabytes of 1,000,000 bytes. */
  readonly fileMegabytes: number;
  /** After so many files tcpdump starts over at index 0: the bound of the disk should the agent stall. */
  readonly wrapAfter: number;
  /** The kernel's receive ring, in KiB. */
  readonly bufferKib: number;
  /** The user and group that tcpdump runs as; numbers, so that no passwd entry is needed. */
  readonly userId: number;
  /** The folder of podcap-enter (enter/) and podcap-drain.so (drain/). */
  readonly nativeFolder: string;
  /** The file of memory-slots.ts; without it a short-lived ring is written as it comes. */
  readonly memorySlotsFd?: number | undefined;
  /** Bytes of each packet that are captured; undefined captures them whole. */
  readonly snaplen: number | undefined;
  /** A pcap-filter(7) expression that filter.ts has accepted; undefined captures every packet. */
  readonly filter: string | undefined;
  /** How many of its own files it keeps: it deletes the oldest when it begins another one. */
  readonly files: number;
  /** It has begun its next capture file, or at a high rate several. */
  readonly onFiles: (files: FilesBegun) => void;
  /** Somebody has deleted the file that it is writing; it goes on. */
  readonly onFileDeleted?: () => void;
  /** A file cannot be written: it is about to end. */
  readonly onWriteError?: () => void;
  /** The interface was set down, or up again; tcpdump goes on in both cases. */
  readonly onInterface?: (isUp: boolean) => void;
};

/** A drain takes 0.05 s, or 1.5 where the kernel does not let it take the last block, and longer on a busy machine. */
const killAfterMs = 5_000;

export function startTcpdump(options: TcpdumpOptions): Tcpdump {
  const child = spawn(join(options.nativeFolder, 'podcap-enter'), enterArguments(options), {
    // Descriptor 3 is the library's (drain/held.c).
    stdio: ['pipe', 'ignore', 'pipe', options.memorySlotsFd ?? 'ignore'],
    env: environment(),
  });
  // Node leaves it out, against its types, when there are no descriptors left to start a process with.
  const report = readReport(child.stderr ?? Readable.from([]), options);
  // What cannot be told to one that ends need not be.
  child.stdin?.on('error', () => {});
  const keep = (files: number) => void child.stdin?.write(`${files}\n`);
  keep(options.files);
  let stopping: { readonly failure: string | undefined } | undefined;
  let hasEnded = false;
  const ended = endOf(child, report, () => stopping).finally(() => {
    hasEnded = true;
  });
  const started = Promise.race([report.listening, ended]);

  async function end(how: StopHow, failure?: string): Promise<Ending> {
    stopping ??= { failure };
    child.kill(how === 'drain' ? 'SIGTERM' : 'SIGKILL');
    const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    try {
      return await ended;
    } finally {
      clearTimeout(timer);
    }
  }

  async function count(): Promise<Statistics | undefined> {
    const counted = report.nextCounts();
    // The handler prints one line (tcpdump(1), SIGUSR1); USR2 would rotate and corrupt files.
    child.kill('SIGUSR1');
    return await Promise.race([counted, ended.then(() => undefined)]);
  }

  return {
    pid: child.pid,
    started,
    ended,
    hasEnded: () => hasEnded,
    keep,
    count,
    stop: (how) => end(how),
    giveUp: end,
  };
}

/**
 * podcap-enter enters the namespace, leaves NET_RAW alone and a user of its own, and replaces itself by a tcpdump with
 * the library preloaded: one process, the agent's own child, which the kernel signals when the agent dies.
 */
function enterArguments(options: TcpdumpOptions): string[] {
  const { netns, userId, nativeFolder, file, wrapAfter, bufferKib, fileMegabytes } = options;
  return [
    [`${process.pid}`, netns, `${userId}`, join(nativeFolder, 'podcap-drain.so')],
    ['tcpdump', '-n', '-p', '-i', options.interface, '-B', `${bufferKib}`],
    // -U: for a tcpdump without the library, whose newest file could be empty; drain/write.c writes so by itself.
    ['-U', '-C', `${fileMegabytes}`, '-W', `${wrapAfter}`, '-w', file],
    options.snaplen === undefined ? [] : ['-s', `${options.snaplen}`],
    // One argument after --: never an option, whatever it looks like.
    options.filter === undefined ? [] : ['--', options.filter],
  ].flat();
}

/** Nothing of the agent's environment reaches the process that reads packets. */
function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LC_ALL: 'C' };
}

type Report = {
  readonly listening: Promise<Listening>;
  /** Resolves at the next line of statistics. */
  readonly nextCounts: () => Promise<Statistics>;
  /** Resolves when stderr has ended, with everything that was understood of it. */
  readonly end: Promise<Omit<Ending, 'kind' | 'cause'> & { readonly interfaceGone: boolean }>;
};

type Listeners = Pick<TcpdumpOptions, 'onFiles' | 'onFileDeleted' | 'onWriteError' | 'onInterface'>;

function readReport(stderr: Readable, listeners: Listeners): Report {
  const { promise: listening, resolve } = Promise.withResolvers<Listening>();
  let counted = Promise.withResolvers<Statistics>();

  async function readLines() {
    let message = '';
    let interfaceGone = false;
    let writeError: string | undefined;
    let unwritten = 0;
    const final: Partial<Record<keyof Statistics, number>> = {};
    const counter = counterOf32Bits();
    for await (const line of createInterface({ input: stderr })) {
      const counts = counter(readCounts(line));
      const statistics = allCounts(counts);
      const said = readLibrary(line);
      if (said) {
        if (said.kind === 'files') listeners.onFiles(said.files);
        else if (said.kind === 'fileDeleted') listeners.onFileDeleted?.();
        else if (said.kind === 'interface') listeners.onInterface?.(said.isUp);
        else if (said.kind === 'unwritten') unwritten = said.packets;
        else {
          writeError = said.error;
          listeners.onWriteError?.();
        }
      } else if (line.includes('listening on ')) resolve({ kind: 'listening' });
      else if (statistics) {
        counted.resolve(statistics);
        counted = Promise.withResolvers();
      } else if (/^\d+ packets? /.test(line)) Object.assign(final, counts);
      else message = `${message} ${line}`.trimStart().slice(0, 500);
      if (/interface disappeared/i.test(line)) interfaceGone = true;
    }
    return { message, interfaceGone, writeError, unwritten, statistics: allCounts(final) };
  }
  return { listening, nextCounts: () => counted.promise, end: readLines() };
}

type Said =
  | { readonly kind: 'files'; readonly files: FilesBegun }
  | { readonly kind: 'fileDeleted' }
  | { readonly kind: 'notWritten'; readonly error: string }
  | { readonly kind: 'unwritten'; readonly packets: number }
  | { readonly kind: 'interface'; readonly isUp: boolean };

/** What the library says (drain/) and tcpdump does not; undefined for a line of tcpdump's own. */
function readLibrary(line: string): Said | undefined {
  const files =
    /^podcap: file (?<begun>\d+) after (?<packets>\d+) packets, (?<pruned>\d+) of them pruned$/.exec(line);
  if (files?.groups) {
    const { begun, packets, pruned } = files.groups;
    return {
      kind: 'files',
      files: { begun: Number(begun), packets: Number(packets), pruned: Number(pruned) },
    };
  }
  if (line === 'podcap: file deleted') return { kind: 'fileDeleted' };
  const error = /^podcap: not written: (\w+)$/.exec(line)?.[1];
  if (error !== undefined) return { kind: 'notWritten', error };
  const packets = /^podcap: (\d+) packets in no file$/.exec(line)?.[1];
  if (packets !== undefined) return { kind: 'unwritten', packets: Number(packets) };
  const interfaceState = /^podcap: interface (up|down)$/.exec(line)?.[1];
  return interfaceState === undefined ? undefined : { kind: 'interface', isUp: interfaceState === 'up' };
}

const countPatterns: readonly [keyof Statistics, RegExp][] = [
  ['captured', /(\d+) packets? captured/],
  ['received', /(\d+) packets? received by filter/],
  ['dropped', /(\d+) packets? dropped by kernel/],
];

/** At its end tcpdump says one count a line, at SIGUSR1 all three in one. */
function readCounts(line: string): Partial<Record<keyof Statistics, number>> {
  const counts: Partial<Record<keyof Statistics, number>> = {};
  for (const [name, pattern] of countPatterns) {
    const digits = pattern.exec(line)?.[1];
    if (digits !== undefined) counts[name] = Number(digits);
  }
  return counts;
}

/** tcpdump and libpcap count in 32 bits: after 4,294,967,295 packets from 0 again. */
export function counterOf32Bits(): (counts: Partial<Statistics>) => Partial<Statistics> {
  const seen = { captured: 0, received: 0, dropped: 0 };
  return (counts) => {
    const whole: { -readonly [Name in keyof Statistics]?: number } = {};
    for (const [name] of countPatterns) {
      const count = counts[name];
      if (count === undefined) continue;
      const round = Math.floor(seen[name] / 2 ** 32) + (count < seen[name] % 2 ** 32 ? 1 : 0);
      seen[name] = round * 2 ** 32 + count;
      whole[name] = seen[name];
    }
    return whole;
  };
}

function allCounts(counts: Partial<Record<keyof Statistics, number>>): Statistics | undefined {
  const { captured, received, dropped } = counts;
  if (captured === undefined || received === undefined || dropped === undefined) return undefined;
  return { captured, received, dropped };
}

async function endOf(
  child: ChildProcess,
  report: Report,
  stopping: () => { readonly failure: string | undefined } | undefined,
): Promise<Ending> {
  const exit = await exitOf(child);
  const { message, interfaceGone, ...end } = await report.end;
  const stop = stopping();
  const isAsked = stop !== undefined && stop.failure === undefined && end.writeError === undefined;
  const cause = interfaceGone ? 'interfaceGone' : isAsked ? 'stopped' : 'failed';
  return { kind: 'ended', cause, message: stop?.failure ?? (message || exit), ...end };
}

/** Resolves when the process and its pipes are closed, with its exit in words. */
async function exitOf(child: ChildProcess): Promise<string> {
  try {
    const [code, signal]: (number | string | null)[] = await once(child, 'close');
    return signal === null ? `exit code ${code}` : `ended by ${signal}`;
  } catch (error) {
    // spawn itself failed: podcap-enter is not there, or no process can be made.
    return error instanceof Error ? error.message : String(error);
  }
}
