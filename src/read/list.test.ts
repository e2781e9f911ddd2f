import { expect, test } from 'vitest';
import { noTotals } from '../agent/storage/capture-records.ts';
import { packets, readScene, web } from './testing/read-scene.ts';

const ended = { namespace: 'a', pod: 'job', uid: 'b' };

async function listScene() {
  const scene = await readScene();
  await scene.file({ index: 0, packets: packets(0, 3) });
  await scene.file({ index: 1, packets: packets(3, 4) });
  const totals = { ...noTotals, captured: 9, pruned: 2 };
  await scene.record({ totals });
  await scene.record({ generation: 2, endTime: '2026-01-01T00:00:00.000Z' }, ended);
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
    ['NAMESPACE', 'POD', 'UID', 'STATE', 'FILES', 'BYTES', 'PACKETS', 'FIRST', 'LAST'],
    ['a', 'job', 'b', 'ended', '0', '0', '0', '-', '-'],
    [
      'default',
      'web',
      web.uid,
      'capturing',
      '2',
      `${2 * 24 + 7 * (16 + 8)}`,
      '7',
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
    { uid: web.uid, state: 'capturing', files: 2, packets: 7, first: '2023-11-14T22:13:20.000Z' },
  ]);
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

test.each([
  [['-o', 'yaml'], 2, '--output must be table or json, not "yaml"'],
  [['web'], 2, 'podcap list takes no arguments, only options: "web"'],
  [['--captures-folder', '/nowhere'], 1, 'the captures folder /nowhere does not exist'],
])('podcap list %j exits with %i and prints why', async (args, code, message) => {
  await using scene = await readScene();
  expect(await scene.list(args)).toMatchObject({ code, stderr: expect.stringContaining(message) });
});
