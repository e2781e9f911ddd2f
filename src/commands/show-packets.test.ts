import { expect, test } from 'vitest';
import { nanoseconds } from '../pcap/capture-interface.ts';
import { type ShownPackets, showPackets } from './show-packets.ts';
import type { Output, Written } from './standard-output.ts';
import { ethernet, readerOf, showParts, type TestCapture } from './testing/show-scene.ts';

const { decoder, lineOf } = showParts(async () => ({ kind: 'not-capture', message: '' }));

test('writes a line for each packet, with the name and the resolution of its interface', async () => {
  const interfaces = [
    ethernet,
    { ...ethernet, name: 'shop/web/eth0', resolution: nanoseconds, linkType: 113 },
    { ...ethernet, name: 'a\u001b[2Jb', resolution: { base: 2, exponent: 30 } as const },
    { ...ethernet, name: '', resolution: { base: 2, exponent: 20 } as const },
    { ...ethernet, name: 'n'.repeat(65_000) },
  ];
  const output = testOutput();
  const shown = await show({
    output,
    interfaces,
    packets: [
      'a',
      ...[1, 2, 3, 4].map((interfaceIndex) => ({ text: 'x', interfaceIndex, nanoseconds: interfaceIndex })),
    ],
  });
  expect(shown).toEqual({ ended: 'end', packets: 5, lines: 5 });
  expect(output.text().split('\n')).toEqual([
    '1700000000+0 us - 1 a',
    '1700000000+1 ns shop/web/eth0 113 x',
    '1700000000+2 ns a\\u001b[2Jb 1 x',
    '1700000000+3 us - 1 x',
    `1700000000+4 us ${'n'.repeat(99)}… 1 x`,
    '',
  ]);
});

test('asks the filter about the packet as it is in the buffer of the reader', async () => {
  const output = testOutput();
  const shown = await show({
    output,
    interfaces: [{ ...ethernet, name: 'shop/web/eth0' }],
    packets: ['no', { text: 'yes', originalBytes: 1_500 }, { text: 'no', originalBytes: 1_500 }],
    matches: ({ buffer, dataAt, capturedBytes, originalBytes, interfaceName, packet }) =>
      `${Buffer.from(buffer.subarray(dataAt, dataAt + capturedBytes)).toString()} ${originalBytes} ${interfaceName} ${packet.info}` ===
      'yes 1500 shop/web/eth0 1 yes',
  });
  expect([shown, output.text()]).toEqual([
    { ended: 'end', packets: 3, lines: 1 },
    '1700000000+0 us shop/web/eth0 1 yes\n',
  ]);
});

test('ends after as many lines as were asked for, and reads no further', async () => {
  const output = testOutput();
  const packets = ['a', 'b', 'a', 'a'].values();
  const matches: ShowOptions['matches'] = ({ packet }) => packet.info === '1 a';
  expect(await show({ output, packets, matches, count: 2 })).toEqual({ ended: 'end', packets: 3, lines: 2 });
  expect(packets.next().value).toBe('a');
});

test('writes many lines at once', async () => {
  const output = testOutput();
  await show({ output, packets: Array.from({ length: 20_000 }, (_, at) => `packet ${at}`) });
  const sizes = output.chunks.map(({ length }) => length);
  expect(sizes.length).toBe(Math.ceil(output.text().length / 65_600));
  for (const size of sizes.slice(0, -1)) expect(size).toBeGreaterThanOrEqual(65_536);
  expect(output.text().split('\n')).toHaveLength(20_001);
});

test('writes the lines that there are before it waits for more packets', async () => {
  const more = Promise.withResolvers<void>();
  const output = testOutput();
  const shown = show({ output, packets: ['a', 'b', more.promise, 'c'] });
  await output.written;
  expect(output.text()).toBe('1700000000+0 us - 1 a\n1700000000+0 us - 1 b\n');
  more.resolve();
  await shown;
  expect(output.text()).toMatch(/ c\n$/);
});

test('reads no further while the output is not taken', async () => {
  const release = Promise.withResolvers<Written>();
  let read = 0;
  function* packets(): Generator<string> {
    for (; read < 100_000; read += 1) yield 'a packet';
  }
  const output = testOutput(() => release.promise);
  const shown = show({ output, packets: packets() });
  await output.written;
  const readByThen = read;
  // Whatever could go on would go on before this.
  await new Promise(setImmediate);
  expect([read, output.chunks.length]).toEqual([readByThen, 1]);
  expect(readByThen).toBeLessThan(10_000);
  release.resolve('written');
  expect(await shown).toMatchObject({ lines: 100_000 });
});

test.each(['closed', 'unread'] as const)(
  'ends when the output is %s, though the reader waits',
  async (ended) => {
    const never = Promise.withResolvers<void>();
    const output = testOutput(async () => ended);
    expect(await show({ output, packets: ['a', never.promise] })).toEqual({ ended, packets: 1, lines: 1 });
  },
);

test('ends when the output is closed in the middle of many packets', async () => {
  const output = testOutput(async () => 'closed');
  const shown = await show({ output, packets: Array.from({ length: 100_000 }, () => 'a packet') });
  expect(shown.ended).toBe('closed');
  expect([shown.lines < 10_000, output.chunks.length]).toEqual([true, 1]);
});

test('rejects with the error of the reader', async () => {
  const broken = Promise.reject(new Error('EIO'));
  await expect(show({ output: testOutput(), packets: ['a', broken] })).rejects.toThrow('EIO');
});

type ShowOptions = Parameters<typeof showPackets>[0];

async function show(
  options: TestCapture & Pick<ShowOptions, 'output'> & Partial<Pick<ShowOptions, 'matches' | 'count'>>,
): Promise<ShownPackets> {
  const { output, matches = () => true, count = Infinity, ...capture } = options;
  return await showPackets({ reader: readerOf(capture), ...decoder(), lineOf, matches, count, output });
}

/** Keeps what is written. `written` resolves at the first write. */
function testOutput(write: () => Promise<Written> = async () => 'written') {
  const chunks: string[] = [];
  const first = Promise.withResolvers<void>();
  return {
    chunks,
    text: () => chunks.join(''),
    written: first.promise,
    async write(bytes) {
      chunks.push(Buffer.from(bytes).toString());
      first.resolve();
      return await write();
    },
    [Symbol.dispose]: () => {},
  } satisfies Output & Readonly<Record<string | symbol, unknown>>;
}
