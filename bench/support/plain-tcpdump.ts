import { capturedNumbers } from '../../src/pcap/testing/captured-numbers.ts';
import { keepRoot, startCaptureProgram } from '../contenders/capture-program.ts';
import type { InPodNetwork } from './pod-network.ts';

/** tcpdump without Podcap's preload library, on the same interface as Podcap's. */
export type PlainTcpdump = AsyncDisposable & {
  /** The numbers of the datagrams in its file; resolves when the interface has been deleted. */
  readonly numbers: () => Promise<readonly number[]>;
};

/** Returns when tcpdump listens. */
export async function startPlainTcpdump(inNetwork: InPodNetwork, file: string): Promise<PlainTcpdump> {
  const program = await startCaptureProgram({
    name: 'plain tcpdump',
    argv: inNetwork(['tcpdump', '-n', '-p', '-i', 'eth0', '-U', ...keepRoot, '-w', file]),
    listening: 'listening on',
  });
  return {
    async numbers() {
      const stderr = await program.ended;
      if (!/interface disappeared/i.test(stderr)) throw new Error(`plain tcpdump printed: ${stderr}`);
      return await capturedNumbers(file);
    },
    async [Symbol.asyncDispose]() {
      await program.stop();
    },
  };
}
