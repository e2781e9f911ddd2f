import { beforeAll, expect, test } from 'vitest';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { readRecord } from '../storage/capture-records.ts';
import { recordingScene } from '../testing/recording-scene.ts';

const plain = 100;
const pastQueue = 500;

let observed: Awaited<ReturnType<typeof observe>>;
beforeAll(async () => {
  observed = await observe();
});

test('packets that are sent past the queue pass through the interface', () => {
  expect(observed.sent).toBe(plain + pastQueue);
  expect(observed.received).toBe(plain + pastQueue);
  expect(observed.totals.captured).toBeGreaterThanOrEqual(plain);
});

test.fails('packets that no socket sees, because they are sent past the queue, are in a counter of the record', () => {
  // `pruned` and `duplicated` count captured packets; every other counter is of packets in no file.
  const {
    captured,
    pruned: _pruned,
    duplicated: _duplicated,
    capturedMs: _capturedMs,
    ...others
  } = observed.totals;
  const counted = Object.values(others).reduce((sum, packets) => sum + packets, captured);
  expect(counted).toBe(plain + pastQueue);
});

async function observe() {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, path } = await scene.record(3);
  await testbed.sendDatagrams({ count: plain });
  await testbed.sendPastQueue(pastQueue);
  const { sentPackets: sent } = await testbed.counters('pod');
  const { receivedPackets: received } = await testbed.counters('node');
  await recorder.stop('AgentStopped');
  const record = await readRecord(path, 1);
  if (!record) throw new Error('no record');
  return { sent, received, totals: record.totals };
}
