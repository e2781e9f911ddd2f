import { expect, test } from 'vitest';
import { captureBytes } from '../pcap/testing/capture-bytes.ts';
import { linesOf, mergeScene } from './testing/merge-scene.ts';

const { header, record, section, interfaceBlock } = captureBytes('little');
const at = (seconds: number) => record({ seconds, data: Buffer.from(`at ${seconds}`) });

test('captures without packets give a capture without packets, whatever their link types are', async () => {
  await using scene = await mergeScene();
  await scene.file('a.pcap', header());
  await scene.file('b.pcap', header({ network: 113 }));
  await scene.file('c.pcapng', section(), interfaceBlock());
  await scene.file('d.pcap');
  for (const format of ['pcap', 'pcapng'])
    expect(
      await scene.merge([':a.pcap', ':b.pcap', ':c.pcapng', ':d.pcap', '--format', format, '--to', ':none']),
    ).toMatchObject({ code: 0, stderr: expect.stringContaining('wrote 0 packets of 4 captures') });
  expect(await scene.read('none')).toMatchObject({ packets: [], damage: [] });
});

test('2,000 files that overlap are merged', async () => {
  await using scene = await mergeScene();
  const names = Array.from({ length: 2_000 }, (_, number) => `${number}.pcap`);
  for (const [number, name] of names.entries())
    await scene.file(name, header(), at(number), at(5_000 - number), at(9_000 + number));
  const { code } = await scene.merge([...names.map((name) => `:${name}`), '--to', ':all.pcapng']);
  const { packets, interfaces } = await scene.read('all.pcapng');
  expect([code, packets.length, interfaces.length]).toEqual([0, 6_000, 2_000]);
  const times = packets.map(({ seconds }) => seconds);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});

test('10,000 files without packets are merged, and one whose packets are later than everything else', async () => {
  await using scene = await mergeScene();
  const empty = await scene.file('empty.pcap', header());
  await scene.file('early.pcap', header(), at(1), at(2));
  await scene.file('late.pcap', header(), at(4_000_000_000));
  const files = [':late.pcap', ...Array<string>(10_000).fill(empty), ':early.pcap'];
  expect(await scene.merge([...files, '--to', ':all.pcapng'])).toMatchObject({ code: 0 });
  expect(linesOf(await scene.read('all.pcapng'))).toEqual([
    'early.pcap at 1',
    'early.pcap at 2',
    'late.pcap at 4000000000',
  ]);
});
