import { parseFilterProblem } from './filter-problem.ts';

/** In packets. received = captured + dropped + lost at stop (tcpdump(1): received includes dropped). */
export type TcpdumpStatistics = {
  readonly captured: number;
  readonly received: number;
  readonly dropped: number;
};

/** The capture files that a tcpdump has started so far. */
export type FilesStarted = {
  readonly started: number;
  /** Packets in the files before the newest one. */
  readonly packets: number;
  /** How many of these packets were in files that it has deleted. */
  readonly pruned: number;
};

/** The network interface that a capture is bound to, by its index, whatever its name is. */
export type CapturedInterface = {
  readonly index: number;
  /** What it is called at present. */
  readonly name: string;
  /** Which interface has the name that the capture was started with: another one, or none, if it was renamed. */
  readonly requestedIndex: number | undefined;
};

/** What happens to a running tcpdump, as it prints it. */
export type OutputListeners = {
  /** It has started its next capture file, or several at a high rate. */
  readonly onFiles: (files: FilesStarted) => void;
  /** Another process has deleted the file that it is writing; it continues. */
  readonly onFileDeleted?: () => void;
  /** A file cannot be written: it is about to end. */
  readonly onWriteError?: () => void;
  /** The interface was set down or up; tcpdump continues in both cases. */
  readonly onInterface?: (isUp: boolean) => void;
  /** It keeps this many of its own files from now on; 0: all of them. */
  readonly onKeeps?: (files: number) => void;
  /** Its receive ring is full: the kernel drops packets, or is about to. While that lasts, every 10 s. */
  readonly onReceiveRingFull?: () => void;
  /** It warns of something, for people, in its own words; it continues. */
  readonly onWarning?: (text: string) => void;
  /** It is bound to this interface: at its start, and when a name has changed. */
  readonly onCapturedInterface?: (captured: CapturedInterface) => void;
};

/** What a tcpdump has printed up to its end. */
export type TcpdumpResult = {
  /** Its last words, for people. */
  readonly message: string;
  /** Its interface was deleted. */
  readonly isInterfaceGone: boolean;
  /** Its interface did not exist. */
  readonly isNoSuchDevice: boolean;
  /** Why this interface cannot be captured with this filter, for people; undefined if it can. */
  readonly filterProblem: string | undefined;
  /** The final statistics; undefined if it was killed before it could print them. */
  readonly statistics: TcpdumpStatistics | undefined;
  /** Why it could not write a file, as errno(3) names it; it ends by itself then (preload/dumper.c). */
  readonly writeError: string | undefined;
  /** How many of the captured packets are in no file because of that. */
  readonly unwritten: number;
};

export type OutputReader = {
  /** Takes a line of its standard error. */
  readonly readLine: (line: string) => void;
  /** Resolves when packets are being captured. */
  readonly listening: Promise<void>;
  /** Resolves with the next answer to SIGUSR1. */
  readonly nextStatistics: () => Promise<TcpdumpStatistics>;
  /** As it was when the newest statistics were counted; undefined before it captures. */
  readonly capturedInterface: () => CapturedInterface | undefined;
  /** The result of the lines so far. */
  readonly result: () => TcpdumpResult;
};

/** Longer messages are cut: Events and records contain them. */
const maxMessageLength = 500;
/** Each warning is an Event and a log line: how many one tcpdump can cause. */
const maxWarnings = 5;
const maxWarningLength = 200;

/** Reads what one tcpdump and the preload library in it print. */
export function readTcpdumpOutput(listeners: OutputListeners): OutputReader {
  const { promise: listening, resolve: startListening } = Promise.withResolvers<void>();
  const unwrap = unwrapCounts();
  let answer = Promise.withResolvers<TcpdumpStatistics>();
  let final: Partial<TcpdumpStatistics> = {};
  let warnings = 0;
  let captured: CapturedInterface | undefined;
  let result: Omit<TcpdumpResult, 'statistics'> = {
    message: '',
    isInterfaceGone: false,
    isNoSuchDevice: false,
    filterProblem: undefined,
    writeError: undefined,
    unwritten: 0,
  };

  function readLine(line: string): void {
    const output = parseOutputLine(line);
    switch (output.kind) {
      case 'listening':
        return startListening();
      case 'statistics':
        answer.resolve({ ...output.statistics, ...unwrap(output.statistics) });
        answer = Promise.withResolvers();
        return;
      case 'finalCount':
        final = { ...final, ...unwrap(output.count) };
        return;
      case 'files':
        return listeners.onFiles(output.files);
      case 'fileDeleted':
        return listeners.onFileDeleted?.();
      case 'interface':
        return listeners.onInterface?.(output.isUp);
      case 'keeps':
        return listeners.onKeeps?.(output.files);
      case 'receiveRingFull':
        return listeners.onReceiveRingFull?.();
      case 'captured':
        captured = output.captured;
        return listeners.onCapturedInterface?.(captured);
      case 'unwritten':
        result = { ...result, unwritten: output.packets };
        return;
      case 'writeError':
        result = { ...result, writeError: output.error };
        return listeners.onWriteError?.();
      case 'filterProblem':
        result = { ...result, filterProblem: output.problem };
        return;
      case 'warning':
        warnings += 1;
        if (warnings <= maxWarnings) listeners.onWarning?.(output.text.slice(0, maxWarningLength));
        return;
      case 'message':
        result = {
          ...result,
          message: `${result.message} ${output.text}`.trimStart().slice(0, maxMessageLength),
          isInterfaceGone: result.isInterfaceGone || output.about === 'interfaceGone',
          isNoSuchDevice: result.isNoSuchDevice || output.about === 'noSuchDevice',
        };
    }
  }

  return {
    readLine,
    listening,
    nextStatistics: () => answer.promise,
    capturedInterface: () => captured,
    result: () => ({ ...result, statistics: completeStatistics(final) }),
  };
}

/** One line of standard error. */
export type OutputLine =
  | { readonly kind: 'listening' }
  /** The answer to SIGUSR1, all counts in one line. */
  | { readonly kind: 'statistics'; readonly statistics: TcpdumpStatistics }
  /** At its end, tcpdump prints one count per line. */
  | { readonly kind: 'finalCount'; readonly count: Partial<TcpdumpStatistics> }
  | { readonly kind: 'files'; readonly files: FilesStarted }
  | { readonly kind: 'fileDeleted' }
  | { readonly kind: 'writeError'; readonly error: string }
  | { readonly kind: 'unwritten'; readonly packets: number }
  | { readonly kind: 'interface'; readonly isUp: boolean }
  | { readonly kind: 'keeps'; readonly files: number }
  | { readonly kind: 'receiveRingFull' }
  | { readonly kind: 'captured'; readonly captured: CapturedInterface }
  /** Anything else: errors, among other things. */
  | { readonly kind: 'filterProblem'; readonly problem: string }
  | { readonly kind: 'warning'; readonly text: string }
  /** Anything else of tcpdump's: why it ends, and what it does at its start. */
  | { readonly kind: 'message'; readonly text: string; readonly about?: 'interfaceGone' | 'noSuchDevice' };

/** Returns what a line of tcpdump or of the preload library means. Pure. */
export function parseOutputLine(line: string): OutputLine {
  const problem = parseFilterProblem(line);
  if (problem !== undefined) return { kind: 'filterProblem', problem };
  return parseLibraryLine(line) ?? parseTcpdumpLine(line.replaceAll(/\p{Cc}/gu, '?'));
}

/** The preload library's lines (preload/preload.c lists them); undefined for a line of tcpdump's own. */
function parseLibraryLine(line: string): OutputLine | undefined {
  const files =
    /^podcap: file (?<started>\d+) after (?<packets>\d+) packets, (?<pruned>\d+) of them pruned$/.exec(line);
  if (files?.groups) {
    const { started, packets, pruned } = files.groups;
    return {
      kind: 'files',
      files: { started: Number(started), packets: Number(packets), pruned: Number(pruned) },
    };
  }
  if (line === 'podcap: file deleted') return { kind: 'fileDeleted' };
  if (line === 'podcap: receive ring full') return { kind: 'receiveRingFull' };
  const keeps = /^podcap: keeps (\d+)$/.exec(line)?.[1];
  if (keeps !== undefined) return { kind: 'keeps', files: Number(keeps) };
  const error = /^podcap: not written: (\w+)$/.exec(line)?.[1];
  if (error !== undefined) return { kind: 'writeError', error };
  const packets = /^podcap: (\d+) packets in no file$/.exec(line)?.[1];
  if (packets !== undefined) return { kind: 'unwritten', packets: Number(packets) };
  const interfaceState = /^podcap: interface (up|down)$/.exec(line)?.[1];
  if (interfaceState !== undefined) return { kind: 'interface', isUp: interfaceState === 'up' };
  const captured = parseCapturedInterface(line);
  return captured && { kind: 'captured', captured };
}

function parseCapturedInterface(line: string): CapturedInterface | undefined {
  const pattern =
    /^podcap: captures interface (?<index>\d+), named (?<name>[^ ]+); [^ ]+ is interface (?<holder>\d+)$/;
  const groups = pattern.exec(line)?.groups;
  if (!groups) return undefined;
  const { index, name = '', holder } = groups;
  return { index: Number(index), name, requestedIndex: Number(holder) || undefined };
}

function parseTcpdumpLine(line: string): OutputLine {
  if (line.includes('listening on ')) return { kind: 'listening' };
  const counts = parseCounts(line);
  const statistics = completeStatistics(counts);
  if (statistics) return { kind: 'statistics', statistics };
  if (/^\d+ packets? /.test(line)) return { kind: 'finalCount', count: counts };
  if (/interface disappeared/i.test(line)) return { kind: 'message', text: line, about: 'interfaceGone' };
  if (line.includes('No such device')) return { kind: 'message', text: line, about: 'noSuchDevice' };
  return { kind: isWarning(line) ? 'warning' : 'message', text: line };
}

/**
 * tcpdump puts its name before what it prints, and WARNING after it if something is wrong and it continues. Other lines
 * are warnings of libpcap or of the dynamic linker, except the reason in brackets that follows some errors.
 */
function isWarning(line: string): boolean {
  return line.startsWith('tcpdump: WARNING: ') || !/^(tcpdump: |podcap-spawner: |\(|$)/.test(line);
}

const countPatterns: readonly [keyof TcpdumpStatistics, RegExp][] = [
  ['captured', /(\d+) packets? captured/],
  ['received', /(\d+) packets? received by filter/],
  ['dropped', /(\d+) packets? dropped by kernel/],
];

type MutableCounts = { -readonly [Name in keyof TcpdumpStatistics]?: number };

function parseCounts(line: string): Partial<TcpdumpStatistics> {
  const counts: MutableCounts = {};
  for (const [name, pattern] of countPatterns) {
    const digits = pattern.exec(line)?.[1];
    if (digits !== undefined) counts[name] = Number(digits);
  }
  return counts;
}

/**
 * Returns a function that makes counts whole: tcpdump and libpcap count in 32 bits, so 0 follows 4,294,967,295. A count
 * that is a little lower than the one before is no wrap, but older: tcpdump prints counts in its handler of SIGUSR1, and
 * also outside, where a signal can come between reading a count and printing it. The higher one stands.
 */
export function unwrapCounts(): (counts: Partial<TcpdumpStatistics>) => Partial<TcpdumpStatistics> {
  const last: MutableCounts = {};
  return (counts) => {
    const whole: MutableCounts = {};
    for (const [name] of countPatterns) {
      const count = counts[name];
      if (count === undefined) continue;
      const before = last[name] ?? count;
      const more = (count - (before % wrap) + wrap) % wrap;
      last[name] = before + (more < wrap / 2 ? more : 0);
      whole[name] = last[name];
    }
    return whole;
  };
}

const wrap = 2 ** 32;

function completeStatistics(counts: Partial<TcpdumpStatistics>): TcpdumpStatistics | undefined {
  const { captured, received, dropped } = counts;
  if (captured === undefined || received === undefined || dropped === undefined) return undefined;
  return { captured, received, dropped };
}
