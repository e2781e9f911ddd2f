import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { intendToFreeze, setAside } from '../src/agent/storage/frozen-rings.ts';
import { writeRequester } from '../src/agent/storage/requester.ts';
import { readScene, web } from '../src/commands/testing/read-scene.ts';
import { udpFrame } from '../src/pcap/testing/udp-frame.ts';
import { observeFolder } from './observed-folder.ts';

const clock = { nowMs: () => 60_000, bootId: 'boot' };
const end = { endTime: '2026-01-01T00:00:00.000Z' };
const log = {
  sequence: 1,
  seen: { bootId: 'boot', phase: 'Running', containers: [], text: 'now' },
  notFrozen: 0,
};
const causes = [{ trigger: 'manual', text: 'now' }] as const;

test('a ring is the same captures before it is frozen, while it is on its way, and after that', async () => {
  await using scene = await readScene();
  const folder = scene.pathOf();
  await scene.file({ generation: 1, index: 0, packets: datagrams(0, 10) });
  await scene.file({ generation: 1, index: 1, packets: datagrams(10, 10) });
  await scene.record({ generation: 1, ...end });
  const before = await observeFolder(folder, new Set());
  expect(before.frozen).toEqual([]);

  const record = await intendToFreeze(folder, { causes, notFrozenBefore: 0, log, clock });
  await scene.file({ generation: 2, index: 0, packets: datagrams(18, 10) });
  await scene.record({ generation: 2 });
  const during = await observeFolder(folder, new Set([2]));
  expect(during.frozen).toMatchObject([{ number: 1, isFrozen: false, texts: ['now'], files: before.ring }]);

  if (record) await setAside(folder, record, { agent: 'podcap-1', clock, countDead: async () => {} });
  const after = await observeFolder(folder, new Set([2]));
  expect(after.frozen).toMatchObject([{ number: 1, isFrozen: true, files: before.ring }]);
  expect(after.ring).toEqual(during.ring);
  expect(after.seenText).toBe('now');
  expect(numbersIn(before)).toEqual([range(0, 20)]);
  expect(numbersIn(during)).toEqual([range(0, 20), range(18, 28)]);
  expect(after.interfaces).toEqual(during.interfaces);
});

test('files of a generation without a record are hostile', async () => {
  await using scene = await readScene();
  await scene.file({ generation: 1, index: 0, packets: datagrams(0, 10) });
  await scene.record({ generation: 1, ...end });
  const folder = scene.pathOf();
  await writeRequester(folder, { policy: 'soak' });
  const name = `captres-${web.pod}.900.pcap000000000`;
  await copyFile(join(folder, `captres-${web.pod}.1.pcap000000000`), join(folder, name));
  const observed = await observeFolder(folder, new Set());
  expect(observed.policy).toBe('soak');
  expect(numbersIn(observed)).toEqual([range(0, 10)]);
});

function datagrams(first: number, count: number) {
  return range(first, first + count).map((number) => {
    const data = udpFrame(20);
    data.write(`seq=${number}`.padEnd(20, '.'), 42);
    return { timeUs: 1_700_000_000_000_000 + number, data };
  });
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}

function numbersIn({ interfaces }: Awaited<ReturnType<typeof observeFolder>>) {
  return interfaces.flatMap(({ captures }) => captures.map(({ numbers }) => numbers));
}
