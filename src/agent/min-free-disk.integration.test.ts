import { mkdir, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { happens, until } from '../base/until.ts';
import { list } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { memoryDisk } from '../testbed/test-disk.ts';
import { agentScene } from './testing/agent-scene.ts';

const settings = { minFreeDiskPercent: 50, diskBudgetMegabytes: 10_000 };

let observed: Awaited<ReturnType<typeof observe>>;
beforeAll(async () => {
  observed = await observe();
});

test('a full ring of small files leaves more of the disk free than the minimum', () => {
  expect(observed.before).toBeGreaterThan(settings.minFreeDiskPercent + 10);
  expect(observed.sent).toBe(datagrams);
});

test('the minimum stays free when a request changes a full ring to larger files', () => {
  expect(observed.isExceeded).toBe(false);
});

const files = 20;
/** More bytes than are free beyond the minimum, and fewer than one of the larger files has. */
const datagrams = 20_000;
const bytes = 1_200;

async function observe() {
  await using disk = await memoryDisk(64);
  await using scene = await agentScene({ captures: disk.path, settings });
  await fillRing(join(disk.path, 'default_web_uid-web'));
  const annotations = { 'tcpdump.antrea.io': String(files) };
  scene.server.script.list.push(list('5', [podObject('web', '4', annotations)]));
  await using _agent = await scene.start();
  await until(() => scene.eventReasons().includes('CaptureStarted'), { what: 'the capture' });
  const before = await freePercent(disk.path);

  const eventsBefore = scene.events().length;
  const watch = await scene.server.nextWatch();
  const larger = podObject('web', '6', { ...annotations, 'podcap.dev/file-size': '100' });
  watch.send({ type: 'MODIFIED', object: larger });
  await until(() => scene.events().length > eventsBefore, { what: 'the answer to the change' });
  const sent = await scene.testbed.sendDatagrams({ count: datagrams, rate: 20_000, bytes });
  // A block of the kernel's receive ring is written after a second at most.
  const isExceeded = await happens(async () => (await freePercent(disk.path)) < settings.minFreeDiskPercent, {
    withinMs: 3_000,
  });
  return { before, sent, isExceeded };
}

/** Fills it as an earlier agent did: the agent knows these files at once, and a capture's own only after 30 s. */
async function fillRing(folder: string): Promise<void> {
  await mkdir(folder);
  for (let index = 0; index < files; index += 1) {
    const name = `captres-web.1.pcap${String(index).padStart(3, '0')}`;
    await writeFile(join(folder, name), Buffer.alloc(1_000_000));
  }
}

async function freePercent(path: string): Promise<number> {
  const { bavail, blocks } = await statfs(path);
  return (100 * bavail) / blocks;
}
