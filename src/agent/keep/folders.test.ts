import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../lab/folder.ts';
import { openFolders } from './folders.ts';
import { folderName } from './names.ts';
import { noTotals, readRecord } from './records.ts';

const log = pino({ level: 'silent' });
const groupId = process.getgid?.() ?? 0;
const pod = { namespace: 'default', name: 'web', uid: 'uid-1' };
const begin = { agent: 'podcap-1', interface: 'eth0', sandboxId: 'sandbox1', fileMegabytes: 1 };
const boot = { nowMs: 1_000, bootId: 'boot-1' };
const clockAt = (time: typeof boot) => ({ nowMs: () => time.nowMs, bootId: time.bootId });
const open = (root: string, time = boot) => openFolders({ root, groupId, clock: clockAt(time), log });

test('each start of tcpdump takes the next generation, also of files whose record is lost', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  expect((await folder.begin(begin)).number).toBe(1);
  await writeFile(join(folder.path, 'captres-web.6.pcap000'), '');
  const next = await folder.begin(begin);
  expect(next.number).toBe(7);
  expect(next.file).toBe(join(folder.path, 'captres-web.7.pcap'));
});

test('agents that start at the same moment never share a generation', async () => {
  await using root = await temporaryFolder();
  const agents = await Promise.all([open(root.path), open(root.path)]);
  const opened = await Promise.all(agents.map((folders) => folders.open(pod)));
  const begun = await Promise.all([...opened, ...opened, ...opened].map((folder) => folder.begin(begin)));
  expect(begun.map(({ number }) => String(number)).toSorted()).toEqual(['1', '2', '3', '4', '5', '6']);
});

test('a record holds what was known at the beginning and what was noted since', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  const generation = await folder.begin(begin);
  await generation.note({ carried: 3, totals: { ...noTotals, captured: 5 } });
  await generation.note({ end: '2026-01-01T00:00:00Z' });
  expect(await readRecord(folder.path, 1)).toMatchObject({
    ...begin,
    namespace: 'default',
    pod: 'web',
    uid: 'uid-1',
    carried: 3,
    end: '2026-01-01T00:00:00Z',
    totals: { captured: 5 },
  });
  expect(await readdir(folder.path)).toEqual(['capture.1.json']);
});

test('a capture knows what all before it counted, and the one before it of the same interface', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  const first = await folder.begin(begin);
  await first.note({ carried: 20, totals: { ...noTotals, captured: 5, usedMs: 100 } });
  const second = await folder.begin({ ...begin, interface: 'lo' });
  await second.note({ totals: { ...noTotals, captured: 7, usedMs: 50 } });
  const third = await folder.begin(begin);
  expect(third.earlier).toMatchObject({ captured: 12, usedMs: 150 });
  expect(third.before?.generation).toBe(1);
  expect((await folder.begin({ ...begin, sandboxId: 'sandbox2' })).before).toBeUndefined();
});

test('a folder in which nothing was ever captured has its time of grace as well', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  await folders.open(pod);
  await folders.markEnded('uid-1');
  await folders.measure();
  expect(folders.states().get('uid-1')?.endedMs).toBe(boot.nowMs);
  await folders.remove('uid-1');
  await folders.look('uid-1');
  expect(folders.states().size).toBe(0);
});

test('a capture that never listened knows nothing of a gap', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  await (await folder.begin(begin)).note({ carried: 1_000, end: '2026-01-01T00:00:00Z' });
  await (await folder.begin(begin)).note({ end: '2026-01-01T00:00:00Z' });
  expect((await folder.begin(begin)).before?.generation).toBe(1);
});

test('a link in the place of a record is neither read nor written through', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  const generation = await folder.begin(begin);
  const other = join(root.path, 'other');
  await writeFile(other, 'not ours');
  await symlink(other, join(folder.path, 'capture.1.json.new'));
  await generation.note({ carried: 1 });
  expect(await readFile(other, 'utf8')).toBe('not ours');
  await symlink(join(folder.path, 'capture.1.json'), join(folder.path, 'capture.2.json'));
  expect(await readRecord(folder.path, 2)).toBeUndefined();
});

test('what a capture counts after the next one has begun is not lost: they overlap when one replaces the other', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  const folder = await folders.open(pod);
  const first = await folder.begin(begin);
  await first.note({ totals: { ...noTotals, captured: 5, usedMs: 100 } });
  await folder.begin(begin);
  await first.note({ totals: { ...noTotals, captured: 9, usedMs: 130 } });
  expect((await folder.begin(begin)).earlier).toMatchObject({ captured: 9, usedMs: 130 });
  await folders.look('uid-1');
  expect(folders.states().get('uid-1')?.usedMs).toBe(130);
});

test('records of captures without files do not pile up, and their counts are not lost', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  for (let i = 0; i < 50; i += 1) {
    const generation = await folder.begin(begin);
    await generation.note({ end: '2026-01-01T00:00:00Z', totals: { ...noTotals, captured: 1 } });
  }
  expect((await folder.begin(begin)).earlier.captured).toBe(50);
  expect((await readdir(folder.path)).length).toBeLessThan(25);
});

test('the time of grace begins when the Pod is seen to have ended, and goes on with the next agent', async () => {
  await using root = await temporaryFolder();
  const time = { ...boot };
  const folders = await open(root.path, time);
  const generation = await (await folders.open(pod)).begin(begin);
  await writeFile(`${generation.file}000`, '12345');
  await generation.note({ totals: { ...noTotals, usedMs: 700 } });
  await folders.look('uid-1');
  expect(folders.states().get('uid-1')).toEqual({ pod, files: 1, bytes: 5, usedMs: 700, endedMs: undefined });
  time.nowMs = 5_000;
  expect(await folders.markEnded('uid-1')).toBe(true);
  expect(await folders.markEnded('uid-1')).toBe(false);
  time.nowMs = 9_000;
  expect((await open(root.path, time)).states().get('uid-1')?.endedMs).toBe(5_000);
  const afterReboot = { nowMs: 30, bootId: 'boot-2' };
  expect((await open(root.path, afterReboot)).states().get('uid-1')?.endedMs).toBe(0);
});

test.each(['', '{', '[]', '{"version":2}'])('a record that is %j is no record', async (text) => {
  await using root = await temporaryFolder();
  await writeFile(join(root.path, 'capture.1.json'), text);
  expect(await readRecord(root.path, 1)).toBeUndefined();
  expect(await readRecord(root.path, 2)).toBeUndefined();
});

test('a new agent finds the folders of the one before, and nothing else', async () => {
  await using root = await temporaryFolder();
  await (await open(root.path)).open(pod);
  await mkdir(join(root.path, 'lost+found'));
  await writeFile(join(root.path, 'default_file_uid-9'), '');
  await symlink('/', join(root.path, 'default_link_uid-8'));
  expect([...(await open(root.path)).states().keys()]).toEqual(['uid-1']);
});

test('removing deletes that folder alone: not of the same name, nor of a name that begins alike', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  const others = [
    { ...pod, uid: 'uid-2' },
    { ...pod, name: 'web-2', uid: 'uid-3' },
    { ...pod, namespace: 'other', uid: 'uid-4' },
  ];
  for (const each of [pod, ...others]) {
    const folder = await folders.open(each);
    await writeFile((await folder.begin(begin)).file + '000', '');
  }
  await folders.remove('uid-1');
  const left = others.map(({ namespace, name, uid }) => folderName({ namespace, pod: name, uid }));
  expect((await readdir(root.path)).toSorted()).toEqual(left.toSorted());
  expect([...folders.states().keys()].toSorted()).toEqual(['uid-2', 'uid-3', 'uid-4']);
});

test('a file that the agent did not write stays, and the folder with it', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  const folder = await folders.open(pod);
  await writeFile((await folder.begin(begin)).file + '000', '');
  await writeFile(join(folder.path, 'notes.txt'), 'mine');
  await folders.remove('uid-1');
  expect(await readdir(folder.path)).toEqual(['notes.txt']);
});

test('a link in the place of a folder is not followed', async () => {
  await using root = await temporaryFolder();
  await using elsewhere = await temporaryFolder();
  const folders = await open(root.path);
  await symlink(elsewhere.path, join(root.path, folderName({ ...pod, pod: pod.name })));
  await expect(folders.open(pod)).rejects.toThrow('is not a folder');
});

test('the group may write into a folder of captures, and others may not read it', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  const { mode, gid } = await stat(folder.path);
  expect((mode & 0o777).toString(8)).toBe('770');
  expect(gid).toBe(groupId);
  expect(((await stat(root.path)).mode & 0o777).toString(8)).toBe('750');
});
