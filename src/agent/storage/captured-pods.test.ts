import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { podWith } from '../testing/fixtures.ts';
import { capturedPodsFile, openCapturedPods } from './captured-pods.ts';

const log = pino({ level: 'silent' });
const web = podWith({ uid: 'uid-web', annotations: { 'tcpdump.antrea.io': '5' } });
const db = podWith({ uid: 'uid-db', annotations: { 'tcpdump.antrea.io': '2', 'podcap.dev/filter': 'udp' } });

function open(root: string, bootId = 'this') {
  return openCapturedPods({ root, clock: { bootId, nowMs: () => 0 }, log });
}

test('the next agent finds the Pods that were captured last, and what they asked for', async () => {
  await using folder = await temporaryFolder();
  {
    await using pods = await open(folder.path);
    expect(pods.before).toEqual([]);
    pods.note([web, db]);
    pods.note([db]);
  }
  await using next = await open(folder.path);
  expect(next.before).toEqual([db]);
});

test('an annotation that changes is noted', async () => {
  await using folder = await temporaryFolder();
  const changed = { ...web, annotations: { 'tcpdump.antrea.io': '9' } };
  {
    await using pods = await open(folder.path);
    pods.note([web]);
    pods.note([changed]);
  }
  await using next = await open(folder.path);
  expect(next.before).toEqual([changed]);
});

test('with nothing captured there is no file', async () => {
  await using folder = await temporaryFolder();
  {
    await using pods = await open(folder.path);
    pods.note([web]);
  }
  expect(await readdir(folder.path)).toEqual([capturedPodsFile]);
  {
    await using pods = await open(folder.path);
    pods.note([]);
  }
  expect(await readdir(folder.path)).toEqual([]);
});

test('what another boot captured is not gone on with', async () => {
  await using folder = await temporaryFolder();
  {
    await using pods = await open(folder.path);
    pods.note([web]);
  }
  await using next = await open(folder.path, 'another');
  expect(next.before).toEqual([]);
});

test.each(['', '{"bootId":"this","po', '[]', '{"bootId":"this","pods":[{"uid":"uid-web"}]}'])(
  'a file that is no such file is as none: %s',
  async (content) => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, capturedPodsFile), content);
    await using pods = await open(folder.path);
    expect(pods.before).toEqual([]);
  },
);

test('what cannot be read, a folder in its place, is as none', async () => {
  await using folder = await temporaryFolder();
  await mkdir(join(folder.path, capturedPodsFile));
  await using pods = await open(folder.path);
  expect(pods.before).toEqual([]);
});
