import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { openCaptureFiles } from '../pcap/read/capture-reader.ts';
import { captureBytes } from '../pcap/testing/capture-bytes.ts';
import { type ReadCapture, readOpened } from '../pcap/testing/read-capture.ts';
import { mergeScene } from './testing/merge-scene.ts';

/** 20,000 were run once. */
const runs = Number(process.env['MERGE_FUZZ_RUNS'] ?? 300);

const order = fc.constantFrom('little' as const, 'big' as const);
const packets = fc.array(
  fc.record({ high: fc.nat(9), low: fc.nat(0xffff), data: fc.uint8Array({ maxLength: 40 }) }),
  {
    maxLength: 8,
  },
);

const pcap = fc.record({ order, packets, network: fc.constantFrom(1, 113, 101) }).map((capture) => {
  const { header, record } = captureBytes(capture.order);
  const records = capture.packets.map(({ high, low, data }) =>
    record({ seconds: high, fraction: low, data: Buffer.from(data) }),
  );
  return Buffer.concat([header({ network: capture.network }), ...records]);
});

const pcapng = fc
  .record({
    order,
    packets,
    names: fc.array(fc.constantFrom('web', 'db', ''), { minLength: 1, maxLength: 3 }),
  })
  .map((capture) => {
    const { section, interfaceBlock, packet, option } = captureBytes(capture.order);
    const interfaces = capture.names.map((name) => interfaceBlock({ options: option(2, name) }));
    const blocks = capture.packets.map(({ high, low, data }, at) =>
      packet({ high, low, id: at % capture.names.length, data: Buffer.from(data) }),
    );
    return Buffer.concat([section(), ...interfaces, ...blocks]);
  });

const change = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom('overwrite' as const, 'cut out' as const, 'truncate' as const),
  value: fc.nat(255),
});
const captures = fc.array(fc.tuple(fc.oneof(pcap, pcapng), fc.array(change, { maxLength: 2 })), {
  minLength: 1,
  maxLength: 5,
});

test('damaged captures merged have every packet that each of them has, in its order', async () => {
  await using scene = await mergeScene();
  const extra = fc.constantFrom([], ['--side', 'client'], ['--names'], ['--side', 'server', '--names']);
  await fc.assert(
    fc.asyncProperty(captures, extra, async (given, options) => {
      const names = given.map((_, at) => `${at}.cap`);
      for (const [at, [bytes, changes]] of given.entries())
        await scene.file(names[at] ?? '', changes.reduce(changed, bytes));
      const ran = await scene.merge([...names.map((name) => `:${name}`), ...options, '--to', ':out']);
      const alone = await Promise.all(names.map((name) => readAlone(scene.pathOf(name))));
      const read = alone.flatMap((capture) => (capture ? [capture] : []));
      const isDamaged = read.some(({ damage }) => damage.length > 0);
      const code = read.length < alone.length ? 1 : isDamaged ? 3 : 0;
      expect(ran).toMatchObject({ code });
      if (code === 1) return;
      const merged = await scene.read('out');
      expect(merged.damage).toEqual([]);
      const total = read.reduce((sum, capture) => sum + capture.packets.length, 0);
      // --side leaves out what two captures have; random packets are no conversation.
      expect(merged.packets).toHaveLength(total);
      for (const capture of read) expectInOrder(merged, capture);
    }),
    { numRuns: runs },
  );
});

async function readAlone(path: string): Promise<ReadCapture | undefined> {
  const opened = await openCaptureFiles([path]);
  return opened.kind === 'capture' ? await readOpened(opened) : undefined;
}

/** The packets of the capture are all there, in their order, with other ones in between. */
function expectInOrder({ packets: merged }: ReadCapture, { packets: own }: ReadCapture): void {
  let next = 0;
  for (const packet of merged) if (next < own.length && keyOf(packet) === keyOf(own[next])) next += 1;
  expect(next).toBe(own.length);
}

function keyOf(packet: ReadCapture['packets'][number] | undefined): string {
  return `${packet?.seconds}.${packet?.nanoseconds} ${packet?.original} ${packet?.data}`;
}

function changed(bytes: Buffer, { at, kind, value }: { at: number; kind: string; value: number }): Buffer {
  const place = at % bytes.length;
  if (kind === 'truncate') return bytes.subarray(0, Math.max(4, place));
  if (kind === 'cut out')
    return Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + 1 + (value % 9))]);
  const copy = Buffer.from(bytes);
  copy[place] = value;
  return copy;
}
