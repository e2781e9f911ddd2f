import { type LastingEnd, lastingEnd } from '../../base/lasting-end.ts';
import type { Spawner } from '../spawner/spawner.ts';
import { indexCount } from '../storage/file-names.ts';
import {
  type CapturedInterface,
  type OutputListeners,
  readTcpdumpOutput,
  type TcpdumpResult,
  type TcpdumpStatistics,
} from './tcpdump-output.ts';

/** One running tcpdump inside one network namespace. */
export type Tcpdump = {
  /** Undefined until the process is started. */
  readonly pid: () => number | undefined;
  /** Resolves when packets are being captured, or with how it ended if that never happened. Never rejects. */
  readonly started: Promise<Listening | Ending>;
  /** Resolves when the process is gone. Never rejects. */
  readonly ended: Promise<Ending>;
  readonly hasEnded: () => boolean;
  /** Requests that it keeps this many of its own files, 0: all; it deletes the others at once. Does nothing if requested before. */
  readonly keep: (files: number) => void;
  /** How many of its own files it keeps, as its library has acknowledged; undefined until then. */
  readonly keeping: () => number | undefined;
  /** Which interface it is bound to, as of the newest statistics; undefined before it captures. */
  readonly capturedInterface: () => CapturedInterface | undefined;
  /** What it has counted by now; undefined if it ends before it answers. */
  readonly count: () => Promise<TcpdumpStatistics | undefined>;
  /** Resolves as the work does; to undefined if tcpdump ends before. */
  readonly unlessEnded: LastingEnd['unlessEnded'];
  /**
   * Ends it: `flush` writes out what the kernel has buffered first, `kill` does not. Kills it if it does not end within
   * `killAfterMs`.
   */
  readonly stop: (how: StopHow) => Promise<Ending>;
  /** Ends it because something is wrong, with a message for people; an earlier stop keeps its own reason. */
  readonly giveUp: (how: StopHow, message: string) => Promise<Ending>;
};

export type StopHow = 'flush' | 'kill';

export type Listening = { readonly kind: 'listening' };

export type Ending = Pick<TcpdumpResult, 'message' | 'statistics' | 'writeError' | 'unwritten'> & {
  readonly kind: 'ended';
  readonly cause: EndingCause;
};

/**
 * `stopped`: stop() was called. `interfaceGone`: the Pod's network was deleted. `noSuchDevice`: the interface did not
 * exist. `filterRefused`: this interface cannot be captured with this filter; the message says why. `failed`: everything
 * else.
 */
export type EndingCause = 'stopped' | 'interfaceGone' | 'noSuchDevice' | 'filterRefused' | 'failed';

export type TcpdumpOptions = OutputListeners & {
  /** Path of the network namespace, for example /run/netns/cni-…. */
  readonly netns: string;
  readonly interface: string;
  /** Path of the capture files without their index. */
  readonly file: string;
  /** The size at which the next file starts, in tcpdump's megabytes of 1,000,000 bytes. */
  readonly fileMegabytes: number;
  /** The kernel's receive ring, in KiB. */
  readonly bufferKib: number;
  /** Starts it, in a process of its own. */
  readonly spawner: Spawner;
  /** How many bytes of each packet are captured; undefined captures whole packets. */
  readonly snaplen: number | undefined;
  /** A pcap-filter(7) expression that filter-check.ts has accepted; undefined captures every packet. */
  readonly filter: string | undefined;
  /** How many of its own files it keeps, 0: all. It deletes the oldest when it starts another one. */
  readonly files: number;
};

/** A flush takes 0.05 s, 1.5 s where the kernel does not let it take the last block, and longer on a busy machine. */
const killAfterMs = 5_000;

/** Starts tcpdump. Never throws: a tcpdump that cannot be started ends, and its ending has the reason. */
export function startTcpdump(options: TcpdumpOptions): Tcpdump {
  let keeping: number | undefined;
  const output = readTcpdumpOutput({
    ...options,
    onKeeps(files) {
      keeping = files;
      options.onKeeps?.(files);
    },
  });
  const program = options.spawner.start({
    netns: options.netns,
    argv: ['tcpdump', ...argumentsOf(options)],
    onLine: output.readLine,
  });
  let requested: number | undefined;
  const keep = (files: number) => {
    if (files !== requested) program.write(`${files}\n`);
    requested = files;
  };
  keep(options.files);
  let request: EndRequest | undefined;
  let hasEnded = false;
  const end = lastingEnd();
  const ended = program.ended
    .then((exit) => endingOf(exit, output.result(), request))
    .finally(() => {
      hasEnded = true;
      end.come();
    });
  const listening = output.listening.then(() => ({ kind: 'listening' }) as const);

  async function endFor(reason: EndRequest, how: StopHow): Promise<Ending> {
    request ??= reason;
    program.kill(how === 'flush' ? 'SIGTERM' : 'SIGKILL');
    const timer = setTimeout(() => program.kill('SIGKILL'), killAfterMs);
    try {
      return await ended;
    } finally {
      clearTimeout(timer);
    }
  }

  async function count(): Promise<TcpdumpStatistics | undefined> {
    const answer = output.nextStatistics();
    // The handler prints one line (tcpdump(1), SIGUSR1); USR2 would rotate and corrupt files.
    program.kill('SIGUSR1');
    return await end.unlessEnded(answer);
  }

  return {
    pid: program.pid,
    started: Promise.race([listening, ended]),
    ended,
    hasEnded: () => hasEnded,
    keep,
    keeping: () => keeping,
    capturedInterface: output.capturedInterface,
    count,
    unlessEnded: end.unlessEnded,
    stop: (how) => endFor({ kind: 'stop' }, how),
    giveUp: (how, message) => endFor({ kind: 'giveUp', message }, how),
  };
}

function argumentsOf(options: TcpdumpOptions): string[] {
  const { file, bufferKib, fileMegabytes } = options;
  return [
    ['-n', '-p', '-i', options.interface, '-B', `${bufferKib}`],
    // -U is for a tcpdump without the library, whose newest file could be empty; preload/dumper.c does not need it.
    ['-U', '-C', `${fileMegabytes}`, '-W', `${indexCount}`, '-w', file],
    options.snaplen === undefined ? [] : ['-s', `${options.snaplen}`],
    // One argument after --: never an option, whatever it looks like.
    options.filter === undefined ? [] : ['--', options.filter],
  ].flat();
}

/** The first reason why the agent ends a tcpdump. */
type EndRequest = { readonly kind: 'stop' } | { readonly kind: 'giveUp'; readonly message: string };

/** `exit` is the exit of the process in words, for a tcpdump that printed no message. */
function endingOf(exit: string, result: TcpdumpResult, request: EndRequest | undefined): Ending {
  const { message, filterProblem, statistics, writeError, unwritten } = result;
  return {
    kind: 'ended',
    cause: causeOf(result, request),
    message: request?.kind === 'giveUp' ? request.message : (filterProblem ?? message) || exit,
    statistics,
    writeError,
    unwritten,
  };
}

function causeOf(
  { isInterfaceGone, isNoSuchDevice, filterProblem, writeError }: TcpdumpResult,
  request: EndRequest | undefined,
): EndingCause {
  if (isInterfaceGone) return 'interfaceGone';
  if (request?.kind === 'giveUp' || writeError !== undefined) return 'failed';
  if (request?.kind === 'stop') return 'stopped';
  if (filterProblem !== undefined) return 'filterRefused';
  return isNoSuchDevice ? 'noSuchDevice' : 'failed';
}
