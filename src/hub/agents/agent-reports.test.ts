import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { memoryLog } from '../../kubernetes/testing/memory-logger.ts';
import { readReports } from './agent-reports.ts';

test('of an agent that sends nothing but bytes, no more is read than a Node has to say', async () => {
  let chunks = 0;
  const endless = function* () {
    for (; chunks < 1_024; chunks += 1) yield Buffer.alloc(64 * 1024, '\n');
  };
  const body = Readable.from(endless(), { objectMode: false });
  const signal = AbortSignal.timeout(1_000);
  const reading = readReports({
    link: {
      node: 'node-1',
      podName: 'podcap-x',
      podUid: 'x',
      version: '1.2.3',
      connectedMs: 0,
      request: async () => await Promise.resolve({ status: 200, contentType: 'application/x-ndjson', body }),
    },
    receiver: { receive() {}, disconnected() {} },
    onMalformed() {},
    log: memoryLog(),
    signal,
  });
  await expect(reading).rejects.toBe(
    await new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(signal.reason));
    }),
  );
  expect((chunks * 64) / 1024).toBeLessThan(6);
});
