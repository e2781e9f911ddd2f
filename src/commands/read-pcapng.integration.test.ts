import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { noTotals } from '../agent/storage/capture-records.ts';
import { run } from '../testbed/run-program.ts';
import { packets, readScene, web } from './testing/read-scene.ts';

test('tshark and capinfos show what podcap read writes about a Pod and its packets', async () => {
  await using scene = await readScene();
  const common = { node: 'node-a', addresses: ['10.0.0.1'], snaplen: 96 };
  await scene.file({ index: 0, packets: packets(0, 3) });
  await scene.record({
    ...common,
    filter: 'tcp port 80',
    totals: { ...noTotals, captured: 3, lostAtStop: 4 },
  });
  await scene.file({ generation: 2, index: 0, packets: packets(10, 2) });
  await scene.record({
    ...common,
    generation: 2,
    filter: 'udp',
    totals: { ...noTotals, captured: 2, missed: 38 },
  });
  const { code, stdout } = await scene.read(['default/web']);
  expect(code).toBe(0);
  const file = join(scene.path, 'web.pcapng');
  await writeFile(file, stdout);
  const fields = [
    'frame.interface_id',
    'frame.interface_name',
    'frame.interface_description',
    'frame.drop_count',
  ];
  const shown = await run([
    'tshark',
    '-n',
    '-r',
    file,
    '-T',
    'fields',
    ...fields.flatMap((field) => ['-e', field]),
  ]);
  const pod = `default/web/eth0\tNode node-a, Pod UID ${web.uid}`;
  expect(shown.split('\n')).toEqual([
    ...Array.from({ length: 3 }, () => `0\t${pod}\t`),
    `1\t${pod}\t42`,
    `1\t${pod}\t`,
    '',
  ]);
  const infos = await run(['capinfos', file]);
  for (const text of [
    'Number of packets:   5',
    'Capture application: podcap ',
    'Name = default/web/eth0',
    `Description = Node node-a, Pod UID ${web.uid}`,
    'Comment = only the first 96 bytes of each packet were kept',
    'Filter string = tcp port 80',
    'Filter string = udp',
    'Number of stat entries = 1',
  ])
    expect(infos).toContain(text);
});
