import { chown, mkdir, readdir, readFile, rm, rmdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { run } from '../../testbed/run-program.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { neverFrozen } from '../testing/fixtures.ts';
import { openCaptureFolders } from './capture-folders.ts';
import { noTotals, readRecord } from './capture-records.ts';
import { folderName, requesterName } from './file-names.ts';
import { readRequester } from './requester.ts';

const log = pino({ level: 'silent' });
const groupId = process.getgid?.() ?? 0;
const pod = { namespace: 'default', name: 'web', uid: 'uid-1' };
const parameters = { agent: 'podcap-1', interface: 'eth0', sandboxId: 'sandbox1', fileMegabytes: 1 };
const boot = { nowMs: 1_000, bootId: 'boot-1' };
const clockAt = (time: typeof boot) => ({ nowMs: () => time.nowMs, bootId: time.bootId });
const uuid = (n: number) => `0d4f5a5e-4a4c-4d57-9c4c-${String(n).padStart(12, '0')}`;
const open = (root: string, time = boot) => openCaptureFolders({ root, groupId, clock: clockAt(time), log });

test('each start of tcpdump takes the next generation, and never one that files without a record have', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  expect((await folder.createGeneration(parameters)).number).toBe(1);
  for (const generation of [2, 3, 6])
    await writeFile(join(folder.path, `captres-web.${generation}.pcap000000000`), '');
  const next = await folder.createGeneration(parameters);
  expect(next.number).toBe(4);
  expect(next.file).toBe(join(folder.path, 'captres-web.4.pcap'));
});

test("a start of this recorder runs until its end is noted, however old its record is; another agent's, while it is written", async () => {
  await using root = await temporaryFolder();
  const time = { ...boot };
  const folder = await (await open(root.path, time)).open(pod);
  const other = await (await open(root.path, time)).open(pod);
  const own = await folder.createGeneration(parameters);
  await other.createGeneration({ ...parameters, agent: 'podcap-2' });
  const running = async () =>
    [...(await folder.starts(new Set([1, 2])))].flatMap(([generation, { isRunning }]) =>
      isRunning ? generation : [],
    );
  expect(await running()).toEqual([1, 2]);
  time.nowMs += 60_000;
  expect(await running()).toEqual([1]);
  await own.note({ endTime: '2026-01-01T00:00:00.000Z' });
  expect(await running()).toEqual([]);
});

test.skipIf(process.geteuid?.() !== 0)(
  "a record of tcpdump's user is none, and takes no number",
  async () => {
    await using root = await temporaryFolder();
    const folder = await (await open(root.path)).open(pod);
    await folder.createGeneration(parameters);
    const record = await readRecord(folder.path, 1);
    const forged = join(folder.path, 'capture.999999999.json');
    await writeFile(forged, JSON.stringify({ ...record, generation: 999_999_999 }));
    expect(await readRecord(folder.path, 999_999_999)).toBeDefined();
    await chown(forged, 10_001, 10_001);
    expect(await readRecord(folder.path, 999_999_999)).toBeUndefined();
    const next = await folder.createGeneration(parameters);
    expect(next.number).toBe(2);
  },
);

test('agents that start at the same moment never share a generation', async () => {
  await using root = await temporaryFolder();
  const agents = await Promise.all([open(root.path), open(root.path)]);
  const opened = await Promise.all(agents.map((folders) => folders.open(pod)));
  const generations = await Promise.all(
    [...opened, ...opened, ...opened].map((folder) => folder.createGeneration(parameters)),
  );
  expect(generations.map(({ number }) => String(number)).toSorted()).toEqual(['1', '2', '3', '4', '5', '6']);
});

test('a record has what was known at the start and what was added since', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  const generation = await folder.createGeneration(parameters);
  await generation.note({ interfacePackets: 3, totals: { ...noTotals, captured: 5 } });
  await generation.note({ endTime: '2026-01-01T00:00:00Z' });
  expect(await readRecord(folder.path, 1)).toMatchObject({
    ...parameters,
    namespace: 'default',
    pod: 'web',
    uid: 'uid-1',
    interfacePackets: 3,
    endTime: '2026-01-01T00:00:00Z',
    totals: { captured: 5 },
  });
  expect(await readdir(folder.path)).toEqual(['capture.1.json']);
});

test('a generation knows what all earlier ones counted, and the one before of the same interface', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  const first = await folder.createGeneration(parameters);
  await first.note({ interfacePackets: 20, totals: { ...noTotals, captured: 5, capturedMs: 100 } });
  const second = await folder.createGeneration({ ...parameters, interface: 'lo' });
  await second.note({ totals: { ...noTotals, captured: 7, capturedMs: 50 } });
  const third = await folder.createGeneration(parameters);
  // Both captured at the same time.
  expect(third.earlier).toMatchObject({ captured: 12, capturedMs: 100 });
  expect(third.before?.generation).toBe(1);
  expect((await folder.createGeneration({ ...parameters, sandboxId: 'sandbox2' })).before).toBeUndefined();
});

test('of several interfaces, a capture counts what the one before of its own ring may have missed', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  for (const name of ['eth0', 'lo', 'net1'])
    await (await folder.createGeneration({ ...parameters, interface: name })).note({
      interfacePackets: 20,
      missedIfDead: 7,
    });
  const unsettledOf = async (name: string, interfaces: readonly string[]) => {
    const next = await folder.createGeneration({ ...parameters, interface: name }, interfaces);
    return [next.before?.generation, next.unsettled?.generation];
  };
  expect(await unsettledOf('eth0', ['eth0', 'lo', 'net1'])).toEqual([1, undefined]);
  expect(await unsettledOf('lo', ['eth0', 'lo', 'net1'])).toEqual([2, undefined]);
  // What net1 missed before it died is in no other ring than the first.
  expect(await unsettledOf('lo', ['eth0', 'lo'])).toEqual([2, undefined]);
  expect(await unsettledOf('eth0', ['eth0', 'lo'])).toEqual([1, 3]);
});

test('the time that several captures have captured counts once, in each boot', async () => {
  await using root = await temporaryFolder();
  const capturedMs = async (bootId: string, startMs: number, forMs: number) => {
    const folders = await openCaptureFolders({
      root: root.path,
      groupId: process.getgid?.() ?? 0,
      clock: { bootId, nowMs: () => startMs },
      log: pino({ level: 'silent' }),
    });
    const generation = await (await folders.open(pod)).createGeneration(parameters);
    await generation.note({ totals: { ...noTotals, capturedMs: forMs } });
    await folders.measure(pod.uid);
    return folders.states().get(pod.uid)?.capturedMs;
  };
  expect(await capturedMs('a', 1_000, 100)).toBe(100);
  expect(await capturedMs('a', 1_040, 50)).toBe(100);
  expect(await capturedMs('a', 1_080, 50)).toBe(130);
  expect(await capturedMs('a', 2_000, 10)).toBe(140);
  expect(await capturedMs('b', 1_000, 100)).toBe(240);
});

test('captures of several interfaces that start at once forget nothing of what deleted records counted', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  for (let i = 0; i < 40; i += 1) {
    const generation = await folder.createGeneration(parameters);
    await generation.note({ endTime: '2026-01-01T00:00:00Z', totals: { ...noTotals, captured: 1 } });
  }
  const starts = ['eth0', 'lo', 'net1'].map((name) =>
    folder.createGeneration({ ...parameters, interface: name }),
  );
  const numbers = (await Promise.all(starts)).map(({ number }) => number);
  expect(numbers).toEqual([41, 42, 43]);
  expect((await folder.totals()).captured).toBe(40);
});

test('a generation finds the one before of the same interface by its index, whatever had its name meanwhile', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  for (const interfaceIndex of [7, 9])
    await (await folder.createGeneration(parameters)).note({ interfacePackets: 20, interfaceIndex });
  const third = await folder.createGeneration(parameters);
  const beforeOn = (interfaceIndex: number | undefined) =>
    third.precedingOn({ interfaceIndex }).before?.generation;
  expect([7, 9, 11, undefined].map(beforeOn)).toEqual([1, 2, undefined, 2]);
  expect(third.before?.generation).toBe(2);
});

test('a folder without captures has a retention time too', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  await folders.open(pod);
  await folders.markEnded('uid-1');
  await folders.measureAll();
  expect(folders.states().get('uid-1')?.endedMs).toBe(boot.nowMs);
  await folders.remove('uid-1');
  await folders.measure('uid-1');
  expect(folders.states().size).toBe(0);
});

test('a capture that never listened is not the one before a gap', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  await (await folder.createGeneration(parameters)).note({
    interfacePackets: 1_000,
    endTime: '2026-01-01T00:00:00Z',
  });
  await (await folder.createGeneration(parameters)).note({ endTime: '2026-01-01T00:00:00Z' });
  expect((await folder.createGeneration(parameters)).before?.generation).toBe(1);
});

test('a link in place of a record is not followed, neither to read nor to write', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  const generation = await folder.createGeneration(parameters);
  const other = join(root.path, 'other');
  await writeFile(other, 'not ours');
  await symlink(other, join(folder.path, 'capture.1.json.new'));
  await generation.note({ interfacePackets: 1 });
  expect(await readFile(other, 'utf8')).toBe('not ours');
  await symlink(join(folder.path, 'capture.1.json'), join(folder.path, 'capture.2.json'));
  expect(await readRecord(folder.path, 2)).toBeUndefined();
});

test('what a capture counts after the next one has started is not lost: they overlap when one replaces the other', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  const folder = await folders.open(pod);
  const first = await folder.createGeneration(parameters);
  await first.note({ totals: { ...noTotals, captured: 5, capturedMs: 100 } });
  await folder.createGeneration(parameters);
  await first.note({ totals: { ...noTotals, captured: 9, capturedMs: 130 } });
  expect((await folder.createGeneration(parameters)).earlier).toMatchObject({ captured: 9, capturedMs: 130 });
  await folders.measure('uid-1');
  expect(folders.states().get('uid-1')?.capturedMs).toBe(130);
});

test('records without files do not accumulate, and their counts are not lost', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  for (let i = 0; i < 50; i += 1) {
    const generation = await folder.createGeneration(parameters);
    await generation.note({ endTime: '2026-01-01T00:00:00Z', totals: { ...noTotals, captured: 1 } });
  }
  expect((await folder.createGeneration(parameters)).earlier.captured).toBe(50);
  expect((await readdir(folder.path)).length).toBeLessThan(25);
});

test('the retention time starts when the Pod is marked as ended, and continues with the next agent', async () => {
  await using root = await temporaryFolder();
  const time = { ...boot };
  const folders = await open(root.path, time);
  const generation = await (await folders.open(pod)).createGeneration(parameters);
  await writeFile(`${generation.file}000`, '12345');
  await generation.note({ totals: { ...noTotals, capturedMs: 700 } });
  await folders.measure('uid-1');
  expect(folders.states().get('uid-1')).toEqual({
    pod,
    files: 1,
    bytes: 5,
    largestBytes: 5,
    capturedMs: 700,
    endedMs: undefined,
    ...neverFrozen,
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

test('what a disk does not take is written when it can be, although the recording is closed', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  const folder = await folders.open(pod);
  const generation = await folder.createGeneration(parameters);
  const [record, podEnd] = [join(folder.path, 'capture.1.json'), join(folder.path, 'pod-end.json')];
  await rm(record);
  for (const path of [record, podEnd]) await mkdir(join(path, 'in the way'), { recursive: true });
  const totals = { ...noTotals, captured: 7 };
  await expect(generation.note({ totals, endTime: '2026-01-01T00:00:00Z' })).rejects.toThrow(/directory/);
  await expect(folders.markEnded('uid-1')).rejects.toThrow(/directory/);
  for (const path of [record, podEnd]) await rm(path, { recursive: true });
  await folders.measureAll();
  expect((await folders.totals('uid-1'))?.captured).toBe(7);
  const later = { ...boot, nowMs: boot.nowMs + 5_000 };
  expect((await open(root.path, later)).states().get('uid-1')?.endedMs).toBe(boot.nowMs);
});

test('a Pod that an outdated list left out ends when it ends, under the next agent too', async () => {
  await using root = await temporaryFolder();
  const time = { nowMs: 1_000, bootId: boot.bootId };
  const folders = await open(root.path, time);
  await folders.open(pod);
  await folders.markEnded('uid-1');
  await folders.unmarkEnded('uid-1');
  expect(folders.states().get('uid-1')?.endedMs).toBeUndefined();
  expect((await open(root.path, time)).states().get('uid-1')?.endedMs).toBeUndefined();
  time.nowMs = 9_000;
  await folders.markEnded('uid-1');
  expect(folders.states().get('uid-1')?.endedMs).toBe(9_000);
});

test('the end of a Pod is not written into a record, which may be that of another agent', async () => {
  await using root = await temporaryFolder();
  const ending = await open(root.path);
  const folder = await ending.open(pod);
  const { path } = folder;
  const generation = await folder.createGeneration(parameters);
  const before = await readFile(join(path, 'capture.1.json'), 'utf8');
  await ending.markEnded('uid-1');
  expect(await readFile(join(path, 'capture.1.json'), 'utf8')).toBe(before);
  await generation.note({ totals: { ...noTotals, captured: 7 } });
  const next = await open(root.path, { ...boot, nowMs: boot.nowMs + 500 });
  expect(next.states().get('uid-1')?.endedMs).toBe(boot.nowMs);
});

test('of two agents, the one that sees the end of a Pod first says when that was', async () => {
  await using root = await temporaryFolder();
  const first = await open(root.path);
  await first.open(pod);
  const second = await open(root.path, { ...boot, nowMs: boot.nowMs + 500 });
  await first.markEnded('uid-1');
  await second.markEnded('uid-1');
  expect(second.states().get('uid-1')?.endedMs).toBe(boot.nowMs);
});

test('a Pod that is captured again has not ended, under the next agent either', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  await folders.open(pod);
  await folders.markEnded('uid-1');
  await folders.open(pod);
  expect(folders.states().get('uid-1')?.endedMs).toBeUndefined();
  expect((await open(root.path)).states().get('uid-1')?.endedMs).toBeUndefined();
});

test.each(['', '{', '{"bootId":"boot-1"}', '{"bootId":"boot-1","endedMs":1e999}'])(
  'a Pod whose end is given as %j may be running',
  async (text) => {
    await using root = await temporaryFolder();
    const { path } = await (await open(root.path)).open(pod);
    await writeFile(join(path, 'pod-end.json'), text);
    const folders = await open(root.path);
    expect(folders.states().get('uid-1')?.endedMs).toBeUndefined();
    await folders.markEnded('uid-1');
    expect((await open(root.path)).states().get('uid-1')?.endedMs).toBe(boot.nowMs);
  },
);

test.skipIf(process.geteuid?.() !== 0)("tcpdump's user cannot say that a Pod has ended", async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  const { path } = await folders.open(pod);
  await folders.markEnded('uid-1');
  await chown(join(path, 'pod-end.json'), 10_001, 10_001);
  expect((await open(root.path)).states().get('uid-1')?.endedMs).toBeUndefined();
});

test('a folder in the place of the end of a Pod does not keep the Pod from being captured', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  const { path } = await folders.open(pod);
  await mkdir(join(path, 'pod-end.json'));
  expect((await folders.open(pod)).path).toBe(path);
});

test.each(['', '{', '[]', '{"version":2}'])('a record with the text %j is invalid', async (text) => {
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
    'that counts more than is possible',
    (path, text) => writeFile(path, text.replace('"captured": 0', '"captured": 1e300')),
  ],
  [
    'that ran forever',
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
])('a record %s is invalid, and the folder can be read', async (_what, write) => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  await folder.createGeneration(parameters);
  const path = join(folder.path, 'capture.1.json');
  const text = await readFile(path, 'utf8');
  await rm(path);
  await write(path, text);
  expect((await readdir(folder.path)).length).toBe(1);
  expect(await readRecord(folder.path, 1)).toBeUndefined();
  expect((await open(root.path)).states().get('uid-1')).toMatchObject({ pod, files: 0 });
});

test('whatever a record contains, reading it never throws', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  await folder.createGeneration(parameters);
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

test('a record that names another Pod is ignored', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  await folder.createGeneration(parameters);
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

test('a folder that cannot be read does not stop the others from being measured', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  const broken = await folders.open(pod);
  const other = await folders.open({ ...pod, uid: 'uid-2' });
  await rmdir(broken.path);
  await writeFile(broken.path, '');
  await writeFile(join(other.path, 'captres-web.1.pcap000000000'), '12345');
  await folders.measureAll();
  expect(folders.states().get('uid-2')).toMatchObject({ files: 1, bytes: 5 });
});

test('each Pod has a folder of its own, and removing one deletes no other', async () => {
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
    await writeFile(`${(await (await folders.open(each)).createGeneration(parameters)).file}000`, each.uid);
  expect((await readdir(root.path)).length).toBe(all.length);
  const reopened = await open(root.path);
  for (const each of all) expect(reopened.states().get(each.uid)).toMatchObject({ pod: each, files: 1 });
  for (const [at, each] of all.entries()) {
    await reopened.remove(each.uid);
    expect((await readdir(root.path)).length).toBe(all.length - at - 1);
  }
});

test('a new agent finds the folders of the earlier one, and nothing else', async () => {
  await using root = await temporaryFolder();
  await (await open(root.path)).open(pod);
  await mkdir(join(root.path, 'lost+found'));
  await writeFile(join(root.path, 'default_file_uid-9'), '');
  await symlink('/', join(root.path, 'default_link_uid-8'));
  expect([...(await open(root.path)).states().keys()]).toEqual(['uid-1']);
});

test('removing a UID deletes only its folder, not one of the same name or of a name with the same prefix', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  const others = [
    { ...pod, uid: 'uid-2' },
    { ...pod, name: 'web-2', uid: 'uid-3' },
    { ...pod, namespace: 'other', uid: 'uid-4' },
  ];
  for (const each of [pod, ...others]) {
    const folder = await folders.open(each);
    await writeFile((await folder.createGeneration(parameters)).file + '000', '');
  }
  await folders.remove('uid-1');
  const left = others.map(({ namespace, name, uid }) => folderName({ namespace, pod: name, uid }));
  expect((await readdir(root.path)).toSorted()).toEqual(left.toSorted());
  expect([...folders.states().keys()].toSorted()).toEqual(['uid-2', 'uid-3', 'uid-4']);
});

test('a file that the agent did not write stays, and so does its folder', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  const folder = await folders.open(pod);
  await writeFile((await folder.createGeneration(parameters)).file + '000', '');
  await writeFile(join(folder.path, 'notes.txt'), 'mine');
  await folders.remove('uid-1');
  expect(await readdir(folder.path)).toEqual(['notes.txt']);
});

test('a link in place of a folder is not followed', async () => {
  await using root = await temporaryFolder();
  await using elsewhere = await temporaryFolder();
  const folders = await open(root.path);
  await symlink(elsewhere.path, join(root.path, folderName({ ...pod, pod: pod.name })));
  await expect(folders.open(pod)).rejects.toThrow('is not a folder');
});

test('the group can write into a capture folder, and others cannot read it', async () => {
  await using root = await temporaryFolder();
  const folder = await (await open(root.path)).open(pod);
  const { mode, gid } = await stat(folder.path);
  // The sticky bit: tcpdump's user can neither rename nor delete a record.
  expect((mode & 0o7777).toString(8)).toBe('1770');
  expect(gid).toBe(groupId);
  expect(((await stat(root.path)).mode & 0o777).toString(8)).toBe('750');
});

test('who asks for the captures holds at once, also before there is a folder, and is in the folder', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  const policyOf = () => folders.states().get(pod.uid)?.policy;
  folders.noteRequesters(new Map([[pod.uid, { policy: 'a' }]]));
  const { path } = await folders.open(pod);
  expect(policyOf()).toBe('a');
  expect(await readRequester(path)).toEqual({ policy: 'a' });
  folders.noteRequesters(new Map([[pod.uid, { policy: undefined }]]));
  expect(policyOf()).toBeUndefined();
  folders.noteRequesters(new Map([[pod.uid, { policy: 'b' }]]));
  // The last one counts.
  folders.noteRequesters(new Map());
  expect(policyOf()).toBe('b');
  await until(async () => (await readRequester(path)).policy === 'b', { what: 'the file' });
  expect((await open(root.path)).states().get(pod.uid)?.policy).toBe('b');
  await folders.remove(pod.uid);
  expect(await readdir(root.path)).toEqual([]);
});

test('who asks for the captures is written once the disk takes it, and holds until then', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  const { path } = await folders.open(pod);
  // As with a full disk, nothing can be written there.
  const blocking = join(path, requesterName);
  await mkdir(join(blocking, 'x'), { recursive: true });
  folders.noteRequesters(new Map([[pod.uid, { policy: 'a' }]]));
  await folders.measureAll();
  expect(folders.states().get(pod.uid)?.policy).toBe('a');
  await rm(blocking, { recursive: true });
  await folders.measureAll();
  expect(await readRequester(path)).toEqual({ policy: 'a' });
});

test('without a policy, no file says who asks', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  folders.noteRequesters(new Map([[pod.uid, { policy: undefined }]]));
  const { path } = await folders.open(pod);
  await folders.measureAll();
  expect(await readdir(path)).toEqual([]);
});

test('a note of the recording goes with its folder, even if it is written at that moment', async () => {
  await using root = await temporaryFolder();
  const folders = await open(root.path);
  const note = { interfaces: ['eth0'], labels: { app: 'web' } };
  expect(await folders.writeNote(pod.uid, note)).toBe(false);
  await folders.open(pod);
  expect(await folders.writeNote(pod.uid, note)).toBe(true);
  expect(await folders.readNote(pod.uid)).toEqual(note);
  const writing = Array.from({ length: 20 }, () => folders.writeNote(pod.uid, note));
  const removing = folders.remove(pod.uid);
  const late = folders.writeNote(pod.uid, note);
  await Promise.all([...writing, removing]);
  expect(await late).toBe(false);
  expect(await readdir(root.path)).toEqual([]);
  expect(await folders.readNote(pod.uid)).toBeUndefined();
});
