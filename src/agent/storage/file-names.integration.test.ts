import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { capturedNumbers } from '../../pcap/testing/captured-numbers.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { type VethTestbed, vethTestbed } from '../../testbed/veth-testbed.ts';
import { startTcpdump } from '../capture/tcpdump.ts';
import { plainCapture, testSpawner } from '../testing/tcpdump-fixtures.ts';
import { openCaptureFolders } from './capture-folders.ts';

const namespace = 'n'.repeat(63);
const uid = (last: string) => `0d4f5a5e-4a4c-4d57-9c4c-1d8b6f0f8f1${last}`;

test('Pods whose 253-character names differ only in the last character are captured into files of their own', async () => {
  await using root = await temporaryFolder();
  await using first = await vethTestbed();
  await using second = await vethTestbed();
  const a = await captureTen(
    root.path,
    { namespace, name: `${'p'.repeat(252)}a`, uid: uid('a') },
    first,
    100,
  );
  const b = await captureTen(
    root.path,
    { namespace, name: `${'p'.repeat(252)}b`, uid: uid('b') },
    second,
    200,
  );
  expect(a.folder).not.toBe(b.folder);
  expect(a.numbers).toEqual([100, 101, 102, 103, 104, 105, 106, 107, 108, 109]);
  expect(b.numbers).toEqual([200, 201, 202, 203, 204, 205, 206, 207, 208, 209]);
  const parts = [...(await readdir(root.path, { recursive: true }))].flatMap((path) => path.split('/'));
  expect(Math.max(...parts.map((part) => Buffer.byteLength(part)))).toBeLessThanOrEqual(255);
});

async function captureTen(
  root: string,
  pod: { namespace: string; name: string; uid: string },
  testbed: VethTestbed,
  firstNumber: number,
) {
  const clock = { nowMs: () => performance.now(), bootId: 'boot' };
  const log = pino({ level: 'silent' });
  const folders = await openCaptureFolders({ root, groupId: 10_001, clock, log });
  const folder = await folders.open(pod);
  const parameters = { agent: 'podcap-1', interface: 'eth0', sandboxId: 'sandbox1', fileMegabytes: 1 };
  const { file } = await folder.createGeneration(parameters);
  await using spawner = await testSpawner();
  const tcpdump = startTcpdump({ ...plainCapture, spawner, netns: testbed.netns, file });
  const started = await tcpdump.started;
  if (started.kind === 'ended') throw new Error(started.message);
  await testbed.sendDatagrams({ count: 10, firstNumber });
  await tcpdump.stop('flush');
  const name = (await readdir(folder.path)).find((each) => each.startsWith('captres-')) ?? '';
  return { folder: folder.path, numbers: await capturedNumbers(join(folder.path, name)) };
}
