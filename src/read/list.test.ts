import { expect, test } from 'vitest';
import { noTotals } from '../agent/storage/capture-records.ts';
import { packets, readScene, web } from './testing/read-scene.ts';

const ended = { namespace: 'a', pod: 'job', uid: 'b' };

async function listScene() {
  const scene = await readScene();
  await scene.file({ index: 0, packets: packets(0, 3) });
  await scene.file({ index: 1, packets: packets(3, 4) });
  const totals = { ...noTotals, captured: 9, pruned: 2, unseen: 12 };
  await scene.record({ totals });
  const unknown = { ...noTotals, unseen: undefined };
  await scene.record({ generation: 2, endTime: '2026-01-01T00:00:00.000Z', totals: unknown }, ended);
  return scene;
}

test('podcap list prints a table of the Pods and what is stored of each', async () => {
  await using scene = await listScene();
  const { code, stdout } = await scene.list([]);
  expect(code).toBe(0);
  const rows = stdout
    .toString()
    .trimEnd()
    .split('\n')
    .map((row) => row.split(/ {3,}/));
  expect(rows).toEqual([
    ['NAMESPACE', 'POD', 'UID', 'STATE', 'FILES', 'BYTES', 'PACKETS', 'UNSEEN', 'FIRST', 'LAST'],
    ['a', 'job', 'b', 'ended', '0', '0', '0', '-', '-', '-'],
    [
      'default',
      'web',
      web.uid,
      'capturing',
      '2',
      `${2 * 24 + 7 * (16 + 8)}`,
      '7',
      '12',
      '2023-11-14T22:13:20.000Z',
      '2023-11-14T22:13:20.006Z',
    ],
  ]);
});

test('podcap list -o json prints the same as JSON', async () => {
  await using scene = await listScene();
  const { stdout } = await scene.list(['-o', 'json']);
  expect(JSON.parse(stdout.toString())).toMatchObject([
    { uid: 'b', state: 'ended', files: 0 },
    { uid: web.uid, state: 'capturing', files: 2, packets: 7, unseen: 12, first: '2023-11-14T22:13:20.000Z' },
  ]);
  expect(JSON.parse(stdout.toString())[0]).not.toHaveProperty('unseen');
});

test('podcap list marks what is unseen as incomplete where a part is unknown', async () => {
  await using scene = await listScene();
  await scene.record({ generation: 3, totals: { ...noTotals, unseen: undefined } });
  expect((await scene.list([])).stdout.toString()).toMatch(/ 7 +12\+ +2023/);
  const { stdout } = await scene.list(['-o', 'json']);
  expect(JSON.parse(stdout.toString())[1]).toMatchObject({ unseen: 12, isUnseenPartial: true });
});

test('podcap list prints only the heading if nothing is stored', async () => {
  await using scene = await readScene();
  expect((await scene.list([])).stdout.toString()).toMatch(/^NAMESPACE .*LAST\n$/);
});

test.each([
  [['-o', 'yaml'], 2, '--output must be table or json, not "yaml"'],
  [['web'], 2, 'podcap list takes no arguments, only options: "web"'],
  [['--captures-folder', '/nowhere'], 1, 'the captures folder /nowhere does not exist'],
])('podcap list %j exits with %i and prints why', async (args, code, message) => {
  await using scene = await readScene();
  expect(await scene.list(args)).toMatchObject({ code, stderr: expect.stringContaining(message) });
});
