import { createHash } from 'node:crypto';
import type { StreamEnd, StreamGap } from '../../api/stream-frames.ts';
import { onAbort } from '../../base/on-abort.ts';
import { plainInterface } from '../../pcap/testing/capture-bytes.ts';
import { packetOf } from '../../pcap/testing/packet-of.ts';
import { pcapngWriter } from '../../pcap/write/pcapng-writer.ts';
import type { CaptureStream, OpenedStream, StreamOutcome } from '../api/capture-stream.ts';

/** What a stream of a test sends, and how it ends. */
export type MemoryStream = {
  readonly bytes: Uint8Array;
  readonly gaps?: readonly StreamGap[];
  /** Complete unless given. */
  readonly outcome?: StreamOutcome | Partial<StreamEnd>;
  /** Resolves when the bytes may come. */
  readonly released?: Promise<void>;
  /** Resolves when the stream ends, after its bytes. */
  readonly ending?: Promise<void>;
};

/** An opened stream that sends that, in small chunks; the signal cuts it. */
export function memoryStream(content: MemoryStream, signal?: AbortSignal): OpenedStream {
  const { bytes, gaps = [], released, ending } = content;
  const aborted = new Promise<void>((resolve) => {
    if (signal) onAbort(signal, resolve);
  });
  let isOver = false;
  const stream: CaptureStream = {
    async *chunks() {
      await Promise.race([released, aborted]);
      for (let at = 0; at < bytes.length; at += 1_000) yield bytes.subarray(at, at + 1_000);
      await Promise.race([ending, aborted]);
      signal?.throwIfAborted();
      isOver = true;
    },
    gaps,
    outcome() {
      if (!isOver) throw new Error('the stream has not ended');
      return outcomeOf(content);
    },
    [Symbol.asyncDispose]: async () => {},
  };
  return { kind: 'open', stream };
}

function outcomeOf({ bytes, outcome = {} }: MemoryStream): StreamOutcome {
  if ('kind' in outcome) return outcome;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const end = { reason: 'Complete', isComplete: true, bytes: bytes.length, packets: 0, sha256, ...outcome };
  return { kind: 'ended', end };
}

/** A capture of `shop/<pod>/eth0` as an agent sends it, with a packet at each of these seconds. */
export function recordingBytes(pod: string, seconds: readonly number[]): Uint8Array {
  const writer = pcapngWriter('podcap test');
  writer.addInterface({ ...plainInterface, name: `shop/${pod}/eth0` });
  for (const second of seconds) {
    const data = `${pod} at ${second}`;
    writer.writePacket(packetOf({ time: BigInt(second) * 1_000_000n, original: data.length, data }), 0, 0);
  }
  writer.end([{ interfaceNumber: 0, received: BigInt(seconds.length), comment: 'pruned 0' }]);
  return Uint8Array.from(writer.take());
}
