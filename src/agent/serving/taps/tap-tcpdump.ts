import type { Readable } from 'node:stream';
import { lastingEnd } from '../../../base/lasting-end.ts';
import {
  readTcpdumpOutput,
  type TcpdumpResult,
  type TcpdumpStatistics,
} from '../../capture/tcpdump-output.ts';
import type { StreamingSpawner } from '../../spawner/spawner.ts';

/** A tcpdump that writes what passes one interface into a stream. */
export type TapTcpdump = AsyncDisposable & {
  /** Resolves when packets are being captured, or has ended before. Never rejects. */
  readonly started: Promise<'listening' | TapEnding>;
  /** A pcap file that begins before the first packet; undefined if tcpdump was not started. */
  readonly stream: Promise<Readable | undefined>;
  /** Resolves when the process is gone. Never rejects. */
  readonly ended: Promise<TapEnding>;
  /** What it has counted by now; undefined if it ends before it answers. */
  readonly count: () => Promise<TcpdumpStatistics | undefined>;
  /** Has it print its counts and end; `stream` then ends. What reads the stream must go on. */
  readonly stop: () => Promise<TapEnding>;
};

export type TapEnding = Pick<TcpdumpResult, 'message' | 'statistics' | 'isInterfaceGone' | 'isNoSuchDevice'>;

export type TapTcpdumpOptions = {
  readonly spawner: Pick<StreamingSpawner, 'startStreaming'>;
  /** Path of the network namespace. */
  readonly netns: string;
  readonly interface: string;
  /** A pcap-filter(7) expression; undefined captures every packet. */
  readonly filter: string | undefined;
  readonly snaplen: number | undefined;
  /** Of the receive ring. */
  readonly ringKib: number;
};

/** Of the receive rings of a tap: 32 blocks, each used for 10 ms at most (tap-preload/tap-preload.c). */
export const tapRingKib = 8_192;
const killAfterMs = 1_000;

/** Starts it; disposing of it kills it. It ends by itself when nobody reads its stream any more. Never throws. */
export function startTapTcpdump(options: TapTcpdumpOptions): TapTcpdump {
  const output = readTcpdumpOutput({ onFiles() {} });
  const program = options.spawner.startStreaming({
    netns: options.netns,
    argv: ['tcpdump', ...argumentsOf(options)],
    onLine: output.readLine,
  });
  const end = lastingEnd();
  const ended = program.ended
    .then((exit) => {
      const result = output.result();
      return { ...result, message: result.message || exit };
    })
    .finally(() => end.come());

  async function stop(): Promise<TapEnding> {
    program.kill('SIGTERM');
    const timer = setTimeout(() => program.kill('SIGKILL'), killAfterMs);
    try {
      return await ended;
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    started: Promise.race([output.listening.then(() => 'listening' as const), ended]),
    stream: program.stream,
    ended,
    count: async () => {
      const answer = output.nextStatistics();
      program.kill('SIGUSR1');
      return await end.unlessEnded(answer);
    },
    stop,
    async [Symbol.asyncDispose]() {
      program.kill('SIGKILL');
      (await program.stream)?.destroy();
      await ended;
    },
  };
}

function argumentsOf(options: TapTcpdumpOptions): string[] {
  return [
    ['-n', '-p', '-i', options.interface, '-B', `${options.ringKib}`],
    // -U: tap-preload.c writes before tcpdump sleeps.
    ['-U', '-w', '-'],
    options.snaplen === undefined ? [] : ['-s', `${options.snaplen}`],
    // One argument after --: never an option, whatever it looks like.
    options.filter === undefined ? [] : ['--', options.filter],
  ].flat();
}
