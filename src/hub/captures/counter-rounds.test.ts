import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import type { CountersLine } from '../../link/protocol.ts';
import { counterRounds } from './counter-rounds.ts';
import type { ReportingAgent } from './recording-claim.ts';

const megabyte = 1024 * 1024;

/** An agent that answers with these bytes; counts what was taken of them. */
function answeringAgent(chunks: Iterable<Buffer>) {
  let taken = 0;
  const body = () =>
    Readable.from(
      (function* () {
        for (const chunk of chunks) {
          taken += chunk.length;
          yield chunk;
        }
      })(),
      { objectMode: false, highWaterMark: 1 },
    );
  const agent: ReportingAgent = {
    node: 'node-1',
    podUid: 'uid',
    link: {
      node: 'node-1',
      podName: 'podcap-x',
      podUid: 'uid',
      version: '1.2.3',
      connectedMs: 1,
      request: async () =>
        await Promise.resolve({ status: 200, contentType: 'application/x-ndjson', body: body() }),
    },
    lostMs: 0,
    isSynced: true,
    leftOut: 0,
    deletions: 0,
    reportBytes: 0,
    claims: new Map(),
  };
  return { agent, taken: () => taken };
}

async function refreshed(chunks: Iterable<Buffer>) {
  const counted: CountersLine[] = [];
  const rounds = counterRounds((_agent, line) => counted.push(line));
  const { agent, taken } = answeringAgent(chunks);
  const silent = await rounds.refresh([{ agent, uid: undefined }], AbortSignal.timeout(60_000));
  return { counted, isAnswered: silent.length === 0, takenBytes: taken() };
}

const line = (uid: string, more = '') =>
  Buffer.from(`${JSON.stringify({ uid, counters: { files: 1, bytes: 2, more } })}\n`);

test('counts each line of an answer', async () => {
  const uids = Array.from({ length: 2_000 }, (_, at) => `u-${at}`);
  const { counted, isAnswered } = await refreshed(uids.map((uid) => line(uid)));
  expect(counted.map(({ uid }) => uid)).toEqual(uids);
  expect(isAnswered).toBe(true);
});

test.each([
  ['a line that is too long', [line('u', 'x'.repeat(2_000))]],
  ['too many lines', Array.from({ length: 2_001 }, (_, at) => line(`u-${at}`))],
  ['nothing but line feeds', Array.from({ length: 100 }, () => Buffer.alloc(megabyte, '\n'))],
])('stops reading at %s', async (_what, chunks) => {
  const { isAnswered, takenBytes } = await refreshed(chunks);
  expect(isAnswered).toBe(false);
  expect(takenBytes).toBeLessThan(4 * megabyte);
});
