import { mkdir, readdir, readFile, rm, rmdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { run } from '../../testbed/run-program.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { openCaptureFolders } from './capture-folders.ts';
import { noTotals, readRecord } from './capture-records.ts';
import { folderName } from './file-names.ts';

const log = pino({ level: 'silent' });
const groupId = process.getgid?.() ?? 0;
const pod = { namespace: 'default', name: 'web', uid: 'uid-1' };
const begin = { agent: 'podcap-1', interface: 'eth0', sandboxId: 'sandbox1', fileMegabytes: 1 };
const boot = { nowMs: 1_000, bootId: 'boot-1' };
const clockAt = (time: typeof boot) => ({ nowMs: () => time.nowMs, bootId: time.bootId });
const uuid = (n: number) => `0d4f5a5e-4a4c-4d57-9c4c-${String(n).padStart(12, '0')}`;
const open = (root: string, time = boot) => openCaptureFolders({ root, groupId, clock: clockAt(time), log });

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
  await generation.note({ interfacePackets: 3, totals: { ...noTotals, captured: 5 } });
  await generation.note({ endTime: '2026-01-01T00:00:00Z' });
  expect(await readRecord(folder.path, 1)).toMatchObject({
    ...begin,
    namespace: 'default',
    pod: 'web',
    uid: 'uid-1',
    interfacePackets: 3,
    endTime: '2026-01-01T00:00:00Z',
    totals: { captured: 5 },
  });
  expect(await readdir(folder.path)).toEqual(['capture.1.json']);
});

test('a capture knows what all before it counted, and the one before it of the same interface', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  const first = await folder.begin(begin);
  await first.note({ interfacePackets: 20, totals: { ...noTotals, captured: 5, capturedMs: 100 } });
  const second = await folder.begin({ ...begin, interface: 'lo' });
  await second.note({ totals: { ...noTotals, captured: 7, capturedMs: 50 } });
  const third = await folder.begin(begin);
  expect(third.earlier).toMatchObject({ captured: 12, capturedMs: 150 });
  expect(third.before?.generation).toBe(1);
  expect((await folder.begin({ ...begin, sandboxId: 'sandbox2' })).before).toBeUndefined();
});

test('a folder in which nothing was ever captured has its retention time as well', async () => {
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
  await (await folder.begin(begin)).note({ interfacePackets: 1_000, endTime: '2026-01-01T00:00:00Z' });
  await (await folder.begin(begin)).note({ endTime: '2026-01-01T00:00:00Z' });
  expect((await folder.begin(begin)).before?.generation).toBe(1);
});

test('a link in the place of a record is neither read nor written through', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  const generation = await folder.begin(begin);
  const other = join(root.path, 'other');
  await writeFile(other, 'not ours');
  await symlink(other, join(folder.path, 'capture.1.json.new'));
  await generation.note({ interfacePackets: 1 });
  expect(await readFile(other, 'utf8')).toBe('not ours');
  await symlink(join(folder.path, 'capture.1.json'), join(folder.path, 'capture.2.json'));
  expect(await readRecord(folder.path, 2)).toBeUndefined();
});

test('what a capture counts after the next one has begun is not lostAtStop: they overlap when one replaces the other', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  const folder = await folders.open(pod);
  const first = await folder.begin(begin);
  await first.note({ totals: { ...noTotals, captured: 5, capturedMs: 100 } });
  await folder.begin(begin);
  await first.note({ totals: { ...noTotals, captured: 9, capturedMs: 130 } });
  expect((await folder.begin(begin)).earlier).toMatchObject({ captured: 9, capturedMs: 130 });
  await folders.look('uid-1');
  expect(folders.states().get('uid-1')?.capturedMs).toBe(130);
});

test('records of captures without files do not pile up, and their counts are not lost', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  for (let i = 0; i < 50; i += 1) {
    const generation = await folder.begin(begin);
    await generation.note({ endTime: '2026-01-01T00:00:00Z', totals: { ...noTotals, captured: 1 } });
  }
  expect((await folder.begin(begin)).earlier.captured).toBe(50);
  expect((await readdir(folder.path)).length).toBeLessThan(25);
});

test('the retention time begins when the Pod is seen to have ended, and goes on with the next agent', async () => {
  await using root = await temporaryFolder();
  const time = { ...boot };
  const folders = await open(root.path, time);
  const generation = await (await folders.open(pod)).begin(begin);
  await writeFile(`${generation.file}000`, '12345');
  await generation.note({ totals: { ...noTotals, capturedMs: 700 } });
  await folders.look('uid-1');
  expect(folders.states().get('uid-1')).toEqual({
    pod,
    files: 1,
    bytes: 5,
    capturedMs: 700,
    endedMs: undefined,
  });
  time.nowMs = 5_000;
  await writeFile(`${generation.file}001`, 'more');
  expect(await folders.markEnded('uid-1')).toBe(true);
  expect(folders.states().get('uid-1')).toMatchObject({ files: 2, bytes: 9, endedMs: 5_000 });
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

test.each<[string, (path: string, text: string) => Promise<unknown>]>([
  [
    'of another generation',
    (path, text) => writeFile(path, text.replace('"generation": 1', '"generation": 2')),
  ],
  [
    'that counts more than there can be',
    (path, text) => writeFile(path, text.replace('"captured": 0', '"captured": 1e300')),
  ],
  [
    'that ran for ever',
    (path, text) => writeFile(path, text.replace('"capturedMs": 0', '"capturedMs": 1e999')),
  ],
  ['that is too long', (path, text) => writeFile(path, text.padEnd(70_000))],
  ['that is a folder', (path) => mkdir(path)],
  ['that is a pipe', (path) => run(['mkfifo', path])],
  [
    'that is a socket',
    (path) =>
      run([process.execPath, '-e', `require('net').createServer().listen('${path}', () => process.exit())`]),
  ],
])('a record %s is no record, and the folder can be read', async (_what, write) => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  await folder.begin(begin);
  const path = join(folder.path, 'capture.1.json');
  const text = await readFile(path, 'utf8');
  await rm(path);
  await write(path, text);
  expect((await readdir(folder.path)).length).toBe(1);
  expect(await readRecord(folder.path, 1)).toBeUndefined();
  expect((await open(root.path)).states().get('uid-1')).toMatchObject({ pod, files: 0 });
});

test('whatever stands in a record, it is one or none, and never throws', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  await folder.begin(begin);
  const path = join(folder.path, 'capture.1.json');
  const whole: Record<string, unknown> = JSON.parse(await readFile(path, 'utf8'));
  const changed = fc
    .tuple(fc.constantFrom(...Object.keys(whole)), fc.jsonValue())
    .map(([key, value]) => JSON.stringify({ ...whole, [key]: value }));
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary' }), fc.json(), changed), async (text) => {
      await writeFile(path, text);
      const record = await readRecord(folder.path, 1);
      expect(record?.generation ?? 1).toBe(1);
      expect(Number.isFinite(record?.totals.capturedMs ?? 0)).toBe(true);
    }),
  );
});

test('a record that names another Pod says nothing of this one', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  await folder.begin(begin);
  const path = join(folder.path, 'capture.1.json');
  const text = await readFile(path, 'utf8');
  for (const [from, to] of [
    ['"uid-1"', '"uid-2"'],
    ['"web"', '"../../secrets/web"'],
    ['"default"', '"kube-system"'],
  ] as const) {
    await writeFile(path, text.replace(from, to).replace('"capturedMs": 0', '"capturedMs": 7'));
    expect((await open(root.path)).states().get('uid-1')).toMatchObject({ pod, capturedMs: 0 });
  }
});

test('a folder that cannot be read does not keep the others from being looked at', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  const broken = await folders.open(pod);
  const other = await folders.open({ ...pod, uid: 'uid-2' });
  await rmdir(broken.path);
  await writeFile(broken.path, '');
  await writeFile(join(other.path, 'captres-web.1.pcap000'), '12345');
  await folders.measure();
  expect(folders.states().get('uid-2')).toMatchObject({ files: 1, bytes: 5 });
});

test('each of these Pods has a folder of its own, and gives up its own alone', async () => {
  await using root = await temporaryFolder();
  const long = 'p'.repeat(253);
  const names = [
    'web',
    'web-1',
    'web-10',
    'web.1',
    `${long.slice(1)}a`,
    long,
    long.slice(0, 154),
    long.slice(0, 155),
  ];
  const pods = names.flatMap((name, at) =>
    ['default', 'default-2', 'n'.repeat(63)].map((namespace, of) => ({
      namespace,
      name,
      uid: uuid(10 * at + of),
    })),
  );
  const again = { namespace: 'default', name: 'web', uid: uuid(999) };
  const all = [...pods, again];
  const folders = await open(root.path);
  for (const each of all)
    await writeFile(`${(await (await folders.open(each)).begin(begin)).file}000`, each.uid);
  expect((await readdir(root.path)).length).toBe(all.length);
  const reopened = await open(root.path);
  for (const each of all) expect(reopened.states().get(each.uid)).toMatchObject({ pod: each, files: 1 });
  for (const [at, each] of all.entries()) {
    await reopened.remove(each.uid);
    expect((await readdir(root.path)).length).toBe(all.length - at - 1);
  }
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
