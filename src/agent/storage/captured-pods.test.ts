import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { podWith } from '../testing/fixtures.ts';
import { policyObject } from '../testing/policy-object.ts';
import { capturedPodsFile, openCapturedPods } from './captured-pods.ts';

const log = pino({ level: 'silent' });
const web = podWith({ uid: 'uid-web', annotations: { 'tcpdump.antrea.io': '5' } });
const db = podWith({ uid: 'uid-db', annotations: { 'tcpdump.antrea.io': '2', 'podcap.dev/filter': 'udp' } });

function open(root: string, bootId = 'this') {
  return openCapturedPods({ root, clock: { bootId, nowMs: () => 0 }, log });
}

test('the next agent finds the Pods that were captured last, and their requests', async () => {
  await using folder = await temporaryFolder();
  {
    await using pods = await open(folder.path);
    expect(pods.before).toEqual({ pods: [], policies: [] });
    pods.note({ pods: [web, db], policies: [] });
    pods.note({ pods: [db], policies: [] });
  }
  await using next = await open(folder.path);
  expect(next.before).toEqual({ pods: [db], policies: [] });
});

test('a changed annotation is saved', async () => {
  await using folder = await temporaryFolder();
  const changed = { ...web, annotations: { 'tcpdump.antrea.io': '9' } };
  {
    await using pods = await open(folder.path);
    pods.note({ pods: [web], policies: [] });
    pods.note({ pods: [changed], policies: [] });
  }
  await using next = await open(folder.path);
  expect(next.before).toEqual({ pods: [changed], policies: [] });
});

test('the policies that ask for them are saved too, and a changed one again', async () => {
  await using folder = await temporaryFolder();
  const pod = podWith({ uid: 'uid-web', labels: { app: 'web', constructor: 'x' } });
  {
    await using pods = await open(folder.path);
    pods.note({ pods: [pod], policies: [policyObject('a')] });
  }
  {
    await using pods = await open(folder.path);
    expect(pods.before).toEqual({ pods: [pod], policies: [policyObject('a')] });
    pods.note({ pods: [pod], policies: [policyObject('a', { files: 9 })] });
  }
  await using next = await open(folder.path);
  expect(next.before).toEqual({ pods: [pod], policies: [policyObject('a', { files: 9 })] });
});

test('what an agent without policies saved is found', async () => {
  await using folder = await temporaryFolder();
  const { labels: _, ...pod } = web;
  await writeFile(join(folder.path, capturedPodsFile), JSON.stringify({ bootId: 'this', pods: [pod] }));
  await using pods = await open(folder.path);
  expect(pods.before).toEqual({ pods: [{ ...pod, labels: undefined }], policies: [] });
});

test('what is too large for a file is left out, and the rest is saved, which is logged once', async () => {
  await using folder = await temporaryFolder();
  const lines: string[] = [];
  const warning = pino({ base: null }, { write: (line) => void lines.push(line) });
  const large = podWith({ uid: 'uid-large', annotations: { 'podcap.dev/filter': 'x'.repeat(2_000) } });
  {
    await using pods = await openCapturedPods({
      root: folder.path,
      clock: { bootId: 'this', nowMs: () => 0 },
      log: warning,
      maxCharacters: 2_000,
    });
    pods.note({ pods: [large, web], policies: [policyObject('a')] });
    pods.note({ pods: [large, db], policies: [policyObject('a')] });
  }
  await using next = await open(folder.path);
  expect(next.before).toEqual({ pods: [db], policies: [policyObject('a')] });
  expect(lines).toEqual([
    expect.stringContaining('"leftOut":{"pods":1,"policies":0},"msg":"too much to write down'),
  ]);
});

test('the same is written once, however often it is noted', async () => {
  await using folder = await temporaryFolder();
  await using pods = await open(folder.path);
  const policy = policyObject('a');
  pods.note({ pods: [web], policies: [policy] });
  await until(async () => (await readdir(folder.path)).includes(capturedPodsFile), { what: 'the file' });
  const file = join(folder.path, capturedPodsFile);
  const { ino } = await stat(file);
  pods.note({
    pods: [{ ...web, annotations: { ...web.annotations }, phase: 'Succeeded' }],
    policies: [policy],
  });
  await pods[Symbol.asyncDispose]();
  expect((await stat(file)).ino).toBe(ino);
});

test('there is no file while nothing is captured', async () => {
  await using folder = await temporaryFolder();
  {
    await using pods = await open(folder.path);
    pods.note({ pods: [web], policies: [] });
  }
  expect(await readdir(folder.path)).toEqual([capturedPodsFile]);
  {
    await using pods = await open(folder.path);
    pods.note({ pods: [], policies: [] });
  }
  expect(await readdir(folder.path)).toEqual([]);
});

test('Pods captured before a reboot are not found', async () => {
  await using folder = await temporaryFolder();
  {
    await using pods = await open(folder.path);
    pods.note({ pods: [web], policies: [] });
  }
  await using next = await open(folder.path, 'another');
  expect(next.before).toEqual({ pods: [], policies: [] });
});

test.each(['', '{"bootId":"this","po', '[]', '{"bootId":"this","pods":[{"uid":"uid-web"}]}'])(
  'an invalid file counts as none: %s',
  async (content) => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, capturedPodsFile), content);
    await using pods = await open(folder.path);
    expect(pods.before).toEqual({ pods: [], policies: [] });
  },
);

test('a folder in place of the file counts as none', async () => {
  await using folder = await temporaryFolder();
  await mkdir(join(folder.path, capturedPodsFile));
  await using pods = await open(folder.path);
  expect(pods.before).toEqual({ pods: [], policies: [] });
});
