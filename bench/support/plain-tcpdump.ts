import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { capturedNumbers } from '../../src/testbed/captured-numbers.ts';
import { until } from '../../src/testbed/until.ts';
import type { InPodNetwork } from './pod-network.ts';

/** tcpdump as it is, without Podcap's library, beside Podcap on the same interface. */
export type PlainTcpdump = AsyncDisposable & {
  /** The numbers of the datagrams in its file; comes when the interface has gone. */
  readonly numbers: () => Promise<readonly number[]>;
};

/** It is listening when this returns. */
export async function startPlainTcpdump(inNetwork: InPodNetwork, file: string): Promise<PlainTcpdump> {
  // -Z: or it gives up its rights before it opens the file, which would have to be another user's.
  const options = ['-n', '-p', '-i', 'eth0', '-U', '-Z', 'root', '-w', file];
  const [program, ...args] = inNetwork(['tcpdump', ...options]);
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const closed = once(child, 'close');
  await until(() => stderr.includes('listening on'), { what: 'a plain tcpdump listening' });

  return {
    async numbers() {
      await closed;
      if (!/interface disappeared/i.test(stderr)) throw new Error(`a plain tcpdump said: ${stderr}`);
      return await capturedNumbers(file);
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await closed;
    },
  };
}
