import { chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { PodState } from '../agent/observability/capture-states.ts';
import { openCaptureFolders } from '../agent/storage/capture-folders.ts';
import { noTotals } from '../agent/storage/capture-records.ts';
import { ringFileBase, ringFileName } from '../agent/storage/file-names.ts';
import { bootClock } from '../base/clock.ts';
import { packets, readScene, web } from './testing/read-scene.ts';

const job = { namespace: 'a', pod: 'job', uid: 'b' };
const withEnd = { endTime: '2026-01-01T00:00:00.000Z' };
const capturing = stateOf({ uid: web.uid, state: 'capturing' });
const ended = stateOf({ uid: job.uid, state: 'ended', reason: 'PodEnded' });
const refused = stateOf({
  uid: 'c',
  pod: { namespace: 'shop', name: 'cart' },
  state: 'refused',
  reason: 'OverBudget',
  message: 'the capture may use 600 MB, but all captures on this Node together may use 500 MB',
});

async function listScene() {
  const scene = await readScene();
  await scene.file({ index: 0, packets: packets(0, 3) });
  await scene.file({ index: 1, packets: packets(3, 4) });
  await scene.record({ ...withEnd, totals: { ...noTotals, captured: 5, missed: 8, unseen: 12 } });
  const totals = { ...noTotals, captured: 4, pruned: 2, dropped: 20, lostAtStop: 1, missed: 3, unseen: 0 };
  await scene.record({ generation: 2, ...withEnd, totals });
  const unknown = { ...noTotals, unseen: undefined };
  await scene.record({ generation: 2, endTime: '2026-01-01T00:00:00.000Z', totals: unknown }, job);
  await scene.agentSays([capturing, ended, refused]);
  return scene;
}

test('the help explains the states and counts', async () => {
  await using scene = await readScene();
  const help = (await scene.list(['--help'])).stdout.toString();
  for (const column of [
    'STATE',
    'REASON',
    'FROZEN',
    'PACKETS',
    'DROPPED',
    'LOST',
    'MISSED',
    'UNSEEN',
    'FIRST',
    'LAST',
  ])
    expect(help).toContain(column);
});

test('podcap list prints a table of the Pods, what is stored of each, and what all its captures counted', async () => {
  await using scene = await listScene();
  const { code, stdout, stderr } = await scene.list([]);
  expect([code, stderr]).toEqual([0, '']);
  const [table, messages] = stdout.toString().split('\n\n');
  const rows = table?.split('\n').map((row) => row.split(/ {2,}/));
  const bytes = `${2 * 24 + 7 * (16 + 8)}`;
  const from = '2023-11-14T22:13:20Z';
  expect(rows).toEqual([
    'NAMESPACE POD UID STATE REASON FILES BYTES FROZEN PACKETS DROPPED LOST MISSED UNSEEN FIRST LAST'.split(
      ' ',
    ),
    ['a', 'job', 'b', 'ended', 'PodEnded', '0', '0', '0', '0', '0', '0', '0', '-', '-', '-'],
    ['default', 'web', web.uid, 'capturing', '-', '2', bytes, '0', '7', '20', '1', '11', '12', from, from],
    ['shop', 'cart', 'c', 'refused', 'OverBudget', '0', '0', '0', '-', '-', '-', '-', '-', '-', '-'],
  ]);
  expect(messages).toBe(`shop/cart: OverBudget: ${refused.message}\n`);
});

test('podcap list has the frozen rings, with what froze each and how far back it reaches', async () => {
  await using scene = await readScene();
  await scene.file({ index: 0, packets: packets(0, 5) });
  await scene.record({ endTime: '2026-01-01T00:00:00.000Z', totals: { ...noTotals, captured: 5 } });
  const clock = await bootClock();
  const folders = await openCaptureFolders({
    root: scene.path,
    groupId: process.getgid?.() ?? 0,
    clock,
    log: pino({ level: 'silent' }),
  });
  const seen = { bootId: clock.bootId, phase: 'Running', containers: [] };
  const finishedAt = '2023-11-14T22:13:19Z';
  await folders.freezes.begin(web.uid, {
    causes: [{ trigger: 'oom-killed', container: 'app', exitCode: 137, reason: 'OOMKilled', finishedAt }],
    log: { seen, notFrozen: 4 },
    replacesNewest: false,
  });
  await folders.freezes.setAside(web.uid, { deletesSurplus: true });
  await folders.freezes.note(web.uid, { seen, notFrozen: 1 });
  const { stdout } = await scene.list([]);
  const [, messages] = stdout.toString().split('\n\n');
  expect(messages?.split('\n').slice(1)).toEqual([
    'default/web: frozen ring 1: container app ended at 2023-11-14T22:13:19Z with exit code 137 (OOMKilled); 5 packets from 2023-11-14T22:13:20.000Z to 2023-11-14T22:13:20.004Z; it reaches back to the second of the end of the container; 4 more times before, nothing was frozen',
    'default/web: not frozen since then: 1 time',
    '',
  ]);
  const json: unknown = JSON.parse((await scene.list(['-o', 'json'])).stdout.toString());
  const cause = { trigger: 'oom-killed', container: 'app', exitCode: 137 };
  expect(json).toMatchObject([
    {
      files: 1,
      packets: 5,
      notFrozen: 1,
      frozen: [{ number: 1, files: 1, causes: [cause], frozen: { packets: 5 } }],
    },
  ]);
  const narrow = (await scene.list([], { isTTY: true, columns: 60 })).stdout.toString();
  expect(narrow).toContain('  frozen ring 1: container app ended at');
  expect(Math.max(...narrow.split('\n').map((line) => line.length))).toBeLessThanOrEqual(60);
});

test('podcap list -o json prints the same as JSON', async () => {
  await using scene = await listScene();
  const { stdout } = await scene.list(['-o', 'json']);
  const { reason, message } = refused;
  expect(JSON.parse(stdout.toString())).toMatchObject([
    { uid: 'b', state: 'ended', reason: 'PodEnded', files: 0 },
    {
      uid: web.uid,
      state: 'capturing',
      files: 2,
      packets: 7,
      dropped: 20,
      lostAtStop: 1,
      missed: 11,
      unseen: 12,
      first: '2023-11-14T22:13:20.000Z',
      last: '2023-11-14T22:13:20.006Z',
    },
    { namespace: 'shop', pod: 'cart', uid: 'c', state: 'refused', reason, message, files: 0, bytes: 0 },
  ]);
});

test('podcap list marks what is unseen as incomplete where a part is unknown', async () => {
  await using scene = await listScene();
  await scene.record({ generation: 3, totals: { ...noTotals, unseen: undefined } });
  expect((await scene.list([])).stdout.toString()).toMatch(/ 11 +12\+ +2023/);
  const { stdout } = await scene.list(['-o', 'json']);
  const [ofJob, ofWeb] = JSON.parse(stdout.toString());
  expect(ofWeb).toMatchObject({ unseen: 12, isUnseenPartial: true });
  expect(ofJob).not.toHaveProperty('unseen');
});

test('podcap list prints a Pod as ended whose end was seen, even if its agent died before it could end its record', async () => {
  await using scene = await readScene();
  await scene.record({ totals: noTotals });
  await scene.podEnd();
  expect(JSON.parse((await scene.list(['-o', 'json'])).stdout.toString())).toMatchObject([
    { state: 'ended' },
  ]);
});

test('podcap list prints only the heading if nothing is stored', async () => {
  await using scene = await readScene();
  expect((await scene.list([])).stdout.toString()).toMatch(/^NAMESPACE .*LAST\n$/);
});

test.each([80, 200])(
  'on a terminal of %i columns, no line is longer and nothing is missing',
  async (columns) => {
    await using scene = await listScene();
    const { stdout } = await scene.list([], { isTTY: true, columns });
    const lines = stdout.toString().split('\n');
    expect(lines.filter((line) => line.length > columns)).toEqual([]);
    const words = lines.join(' ').replaceAll(/ +/g, ' ');
    for (const word of [
      web.uid,
      'capturing',
      'refused',
      `OverBudget: ${refused.message}`,
      '2023-11-14T22:13:20Z',
    ])
      expect(words).toContain(word);
  },
);

test('a missed number that is not known yet is not shown as 0', async () => {
  await using scene = await readScene();
  await scene.record({ missedIfDead: 12, totals: { ...noTotals, captured: 1 } });
  const { stdout } = await scene.list(['-o', 'json']);
  expect(JSON.parse(stdout.toString())[0]).not.toHaveProperty('missed');
});

test('without an agent that says anything, the state is that of a record that is still written, or unknown', async () => {
  await using scene = await readScene();
  const { bootId, nowMs } = await bootClock();
  const clock = { bootId, startMs: 0, lastMs: nowMs() };
  await scene.record({ clock });
  await scene.record({ clock: { ...clock, lastMs: nowMs() - 60_000 } }, { ...web, uid: 'silent' });
  await scene.record({ clock }, { ...web, uid: 'ended' });
  await scene.podEnd({ ...web, uid: 'ended' });
  await scene.record({ clock: { ...clock, bootId: 'another' } }, { ...web, uid: 'rebooted' });
  const statesOf = async () => {
    const { stdout } = await scene.list(['-o', 'json']);
    const listed: { uid: string; state: string; reason?: string }[] = JSON.parse(stdout.toString());
    return listed.map(({ uid, state, reason }) => `${uid} ${state} ${reason ?? ''}`.trimEnd()).toSorted();
  };
  expect(await statesOf()).toEqual([
    `${web.uid} capturing`,
    'ended ended PodEnded',
    'rebooted unknown NoAgent',
    'silent unknown NoAgent',
  ]);
  await scene.agentSays([]);
  expect(await statesOf()).toContain('silent unknown NotDecided');
});

test('of several interfaces, one that is captured counts, whichever has started last', async () => {
  await using scene = await readScene();
  const { bootId, nowMs } = await bootClock();
  const clock = { bootId, startMs: 0, lastMs: nowMs() };
  const totals = { ...noTotals, captured: 1 };
  await scene.record({ generation: 1, clock, missedIfDead: 12, totals });
  const endTime = '2026-01-01T00:00:00.000Z';
  await scene.record({ generation: 2, interface: 'net1', clock, endTime, totals });
  const listed = async (uid: string) => {
    const all: { uid: string }[] = JSON.parse((await scene.list(['-o', 'json'])).stdout.toString());
    return all.find((each) => each.uid === uid);
  };
  expect(await listed(web.uid)).toMatchObject({ state: 'capturing', packets: 2 });
  expect(await listed(web.uid)).not.toHaveProperty('missed');
  // What a capture missed that has died is counted by the next one of its ring.
  await scene.record(
    { generation: 1, clock: { ...clock, bootId: 'another' }, missedIfDead: 12, totals },
    { ...web, uid: 'x' },
  );
  await scene.record({ generation: 2, clock, totals: { ...totals, missed: 12 } }, { ...web, uid: 'x' });
  expect(await listed('x')).toMatchObject({ missed: 12 });
});

test('names the files that cannot be read', async () => {
  await using scene = await listScene();
  const path = join(scene.pathOf(), ringFileName(ringFileBase(web.pod, 1), 2));
  await writeFile(path, 'this is no capture file at all');
  expect((await scene.list([])).stderr).toContain(`podcap: ${path} is not a pcap file`);
});

/** What a terminal acts on instead of showing it. */
const hostile = '\u001b[2J\u009b1m\r\u202e\u0007';

test.each([
  ['namespace', { namespace: `default${hostile}` }],
  ['pod', { pod: `web${hostile}` }],
  ['uid', { uid: `x${hostile}` }],
  ['startTime', { startTime: hostile }],
  ['endTime', { endTime: hostile }],
  ['agent', { agent: hostile }],
  ['sandboxId', { sandboxId: hostile }],
  ['interface', { interface: hostile }],
  ['filter', { filter: hostile }],
  ['endMessage', { endMessage: hostile }],
])('neither list nor read shows control characters of %s in a record', async (_field, fields) => {
  await using scene = await readScene();
  await scene.file({ index: 0, packets: packets(0, 1) });
  await scene.record(fields);
  // Of two Pods of one name, read shows both.
  await scene.record({}, { ...web, uid: 'older' });
  const outputs = [
    await scene.list([]),
    await scene.list(['-o', 'json']),
    await scene.list([], { isTTY: true }),
  ];
  const shown = outputs.map(({ stdout, stderr }) => stdout.toString() + stderr);
  shown.push((await scene.read(['default/web'])).stderr, (await scene.read(['--uid', web.uid])).stderr);
  for (const text of shown) expect(text).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
});

test('nor those of what the agent says, with which tcpdump explains an error, for example', async () => {
  await using scene = await readScene();
  const pod = { namespace: `a${hostile}`, name: `b${hostile}` };
  const words = { reason: `Reason${hostile}`, message: `syntax error ${hostile}` };
  await scene.agentSays([{ uid: `x${hostile}`, pod, state: 'failed', ...words }]);
  for (const [args, isTTY] of [[[], false] as const, [[], true] as const, [['-o', 'json'], false] as const]) {
    const { stdout } = await scene.list(args, { isTTY });
    expect(stdout.toString()).toContain('syntax error');
    expect(stdout.toString()).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
  }
});

test.each([
  ['until they are counted, if its agent was killed', {}],
  ['for good, if they could not be counted', { recount: 'unknown' } as const],
  ['if more were pruned than captured', { ...withEnd, totals: { ...noTotals, captured: 10, pruned: 12 } }],
])('how many packets of a capture are left is unknown, not 0, %s', async (_when, known) => {
  await using scene = await readScene();
  await scene.file({ index: 3, packets: packets(0, 4) });
  await scene.record({ totals: { ...noTotals, captured: 10, pruned: 4 }, ...known });
  const { stdout } = await scene.list(['-o', 'json']);
  const [listed] = JSON.parse(stdout.toString());
  expect(listed).toMatchObject({ files: 1, dropped: 0 });
  expect(listed).not.toHaveProperty('packets');
});

test("a record of another Pod's folder does not count", async () => {
  await using scene = await readScene();
  await scene.record({ ...withEnd, totals: { ...noTotals, captured: 1 } });
  await scene.record({ ...withEnd, totals: { ...noTotals, captured: 100 } }, job);
  await scene.record({ generation: 2, totals: { ...noTotals, captured: 1 }, uid: 'other' });
  const { stdout } = await scene.list(['-o', 'json']);
  expect(JSON.parse(stdout.toString())).toMatchObject([{ packets: 100 }, { packets: 1 }]);
});

test.runIf(process.getuid?.() === 0)("nor does a record that tcpdump's user wrote", async () => {
  await using scene = await readScene();
  await scene.record({ ...withEnd, totals: { ...noTotals, captured: 1 } });
  await scene.record({ generation: 2, totals: { ...noTotals, captured: 100 } });
  await chown(join(scene.pathOf(), 'capture.2.json'), 10_001, 10_001);
  const { stdout } = await scene.list(['-o', 'json']);
  expect(JSON.parse(stdout.toString())).toMatchObject([{ packets: 1 }]);
});

test.each([
  [['-o', 'yaml'], 2, '--output must be table or json, not "yaml"'],
  [['web'], 2, 'podcap list takes no arguments, only options: "web"'],
  [['--captures-folder', '/nowhere'], 1, 'the captures folder /nowhere does not exist'],
])('podcap list %j exits with %i and prints why', async (args, code, message) => {
  await using scene = await readScene();
  expect(await scene.list(args)).toMatchObject({ code, stderr: expect.stringContaining(message) });
});

function stateOf(known: Pick<PodState, 'uid' | 'state'> & Partial<PodState>): PodState {
  return { pod: undefined, reason: undefined, message: undefined, ...known };
}
