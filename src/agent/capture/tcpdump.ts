import type { Program, Spawner } from '../spawner/spawner.ts';

/** One running tcpdump inside one network namespace. */
export type Tcpdump = {
  /** Undefined until it is started. */
  readonly pid: () => number | undefined;
  /** Resolves when packets are being captured, or with how it ended if that never came. Never rejects. */
  readonly started: Promise<Listening | Ending>;
  /** Resolves when the process is gone. Never rejects. */
  readonly ended: Promise<Ending>;
  readonly hasEnded: () => boolean;
  /** Keeps so many files from now on; fewer when the next one begins. */
  readonly keep: (files: number) => void;
  /** What tcpdump has counted by now; undefined when it ends before it can say. */
  readonly count: () => Promise<TcpdumpStatistics | undefined>;
  /**
   * Ends it: `drain` writes out what the kernel holds first, `discard` does not.
   * Whatever does not end by itself within `killAfterMs` is killed.
   */
  readonly stop: (how: StopHow) => Promise<Ending>;
  /** The same, because something is wrong with it, in words for people; a stop that was asked for before goes on. */
  readonly giveUp: (how: StopHow, message: string) => Promise<Ending>;
};

export type StopHow = 'flush' | 'kill';

export type Listening = { readonly kind: 'listening' };

export type Ending = {
  readonly kind: 'ended';
  readonly cause: EndingCause;
  /** tcpdump's own last words, for people. */
  readonly message: string;
  /** What tcpdump counted; undefined when it was killed before it could say. */
  readonly statistics: TcpdumpStatistics | undefined;
  /** What kept it from writing a file, as errno(3) names it; it ends by itself then (preload/dumper.c). */
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

/** In packets. received = captured + dropped + lost at stop (tcpdump(1); received contains the dropped). */
export type TcpdumpStatistics = {
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
  /** What starts it, in a process of its own. */
  readonly spawner: Spawner;
  /** Bytes of each packet that are captured; undefined captures them whole. */
  readonly snaplen: number | undefined;
  /** A pcap-filter(7) expression that filter-check.ts has accepted; undefined captures every packet. */
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
  const report = readReport(options);
  const program = options.spawner.start({
    netns: options.netns,
    argv: ['tcpdump', ...argumentsOf(options)],
    onLine: report.read,
  });
  const keep = (files: number) => program.write(`${files}\n`);
  keep(options.files);
  let stopping: { readonly failure: string | undefined } | undefined;
  let hasEnded = false;
  const ended = endOf(program, report, () => stopping).finally(() => {
    hasEnded = true;
  });
  const started = Promise.race([report.listening, ended]);

  async function end(how: StopHow, failure?: string): Promise<Ending> {
    stopping ??= { failure };
    program.kill(how === 'flush' ? 'SIGTERM' : 'SIGKILL');
    const timer = setTimeout(() => program.kill('SIGKILL'), killAfterMs);
    try {
      return await ended;
    } finally {
      clearTimeout(timer);
    }
  }

  async function count(): Promise<TcpdumpStatistics | undefined> {
    const counted = report.nextCounts();
    // The handler prints one line (tcpdump(1), SIGUSR1); USR2 would rotate and corrupt files.
    program.kill('SIGUSR1');
    return await Promise.race([counted, ended.then(() => undefined)]);
  }

  return {
    pid: program.pid,
    started,
    ended,
    hasEnded: () => hasEnded,
    keep,
    count,
    stop: (how) => end(how),
    giveUp: end,
  };
}

function argumentsOf(options: TcpdumpOptions): string[] {
  const { file, wrapAfter, bufferKib, fileMegabytes } = options;
  return [
    ['-n', '-p', '-i', options.interface, '-B', `${bufferKib}`],
    // -U: for a tcpdump without the library, whose newest file could be empty; preload/dumper.c writes so by itself.
    ['-U', '-C', `${fileMegabytes}`, '-W', `${wrapAfter}`, '-w', file],
    options.snaplen === undefined ? [] : ['-s', `${options.snaplen}`],
    // One argument after --: never an option, whatever it looks like.
    options.filter === undefined ? [] : ['--', options.filter],
  ].flat();
}

type Report = {
  /** Takes a line of its standard error. */
  readonly read: (line: string) => void;
  readonly listening: Promise<Listening>;
  /** Resolves at the next line of statistics. */
  readonly nextCounts: () => Promise<TcpdumpStatistics>;
  /** What was understood of the lines so far. */
  readonly understood: () => Omit<Ending, 'kind' | 'cause'> & { readonly interfaceGone: boolean };
};

type Listeners = Pick<TcpdumpOptions, 'onFiles' | 'onFileDeleted' | 'onWriteError' | 'onInterface'>;

function readReport(listeners: Listeners): Report {
  const { promise: listening, resolve } = Promise.withResolvers<Listening>();
  const final: Partial<Record<keyof TcpdumpStatistics, number>> = {};
  const counter = counterOf32Bits();
  let counted = Promise.withResolvers<TcpdumpStatistics>();
  let message = '';
  let interfaceGone = false;
  let writeError: string | undefined;
  let unwritten = 0;

  function take(said: Said): void {
    switch (said.kind) {
      case 'files':
        return listeners.onFiles(said.files);
      case 'fileDeleted':
        return listeners.onFileDeleted?.();
      case 'interface':
        return listeners.onInterface?.(said.isUp);
      case 'unwritten':
        unwritten = said.packets;
        return;
      case 'notWritten':
        writeError = said.error;
        listeners.onWriteError?.();
    }
  }

  function read(line: string): void {
    const said = readLibrary(line);
    if (said) return take(said);
    const counts = counter(readCounts(line));
    const statistics = allCounts(counts);
    if (line.includes('listening on ')) resolve({ kind: 'listening' });
    else if (statistics) {
      counted.resolve(statistics);
      counted = Promise.withResolvers();
    } else if (/^\d+ packets? /.test(line)) Object.assign(final, counts);
    else message = `${message} ${line}`.trimStart().slice(0, 500);
    if (/interface disappeared/i.test(line)) interfaceGone = true;
  }

  return {
    read,
    listening,
    nextCounts: () => counted.promise,
    understood: () => ({ message, interfaceGone, writeError, unwritten, statistics: allCounts(final) }),
  };
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

const countPatterns: readonly [keyof TcpdumpStatistics, RegExp][] = [
  ['captured', /(\d+) packets? captured/],
  ['received', /(\d+) packets? received by filter/],
  ['dropped', /(\d+) packets? dropped by kernel/],
];

/** At its end tcpdump says one count a line, at SIGUSR1 all three in one. */
function readCounts(line: string): Partial<Record<keyof TcpdumpStatistics, number>> {
  const counts: Partial<Record<keyof TcpdumpStatistics, number>> = {};
  for (const [name, pattern] of countPatterns) {
    const digits = pattern.exec(line)?.[1];
    if (digits !== undefined) counts[name] = Number(digits);
  }
  return counts;
}

/** tcpdump and libpcap count in 32 bits: after 4,294,967,295 packets from 0 again. */
export function counterOf32Bits(): (counts: Partial<TcpdumpStatistics>) => Partial<TcpdumpStatistics> {
  const seen = { captured: 0, received: 0, dropped: 0 };
  return (counts) => {
    const whole: { -readonly [Name in keyof TcpdumpStatistics]?: number } = {};
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

function allCounts(counts: Partial<Record<keyof TcpdumpStatistics, number>>): TcpdumpStatistics | undefined {
  const { captured, received, dropped } = counts;
  if (captured === undefined || received === undefined || dropped === undefined) return undefined;
  return { captured, received, dropped };
}

async function endOf(
  program: Program,
  report: Report,
  stopping: () => { readonly failure: string | undefined } | undefined,
): Promise<Ending> {
  const exit = await program.ended;
  const { message, interfaceGone, ...end } = report.understood();
  const stop = stopping();
  const isAsked = stop !== undefined && stop.failure === undefined && end.writeError === undefined;
  const cause = interfaceGone ? 'interfaceGone' : isAsked ? 'stopped' : 'failed';
  return { kind: 'ended', cause, message: stop?.failure ?? (message || exit), ...end };
}
