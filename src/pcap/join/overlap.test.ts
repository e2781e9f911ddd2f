import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { joined, microseconds, type TestPacket, type TestSource } from '../testing/capture-files.ts';

const start = 1_700_000_000_000_000;

describe('two sources that overlap', () => {
  test('are joined with each packet once, whatever its timestamps are within the tolerance', async () => {
    const first = [at(0, 'a'), at(20, 'b'), at(40, 'c')];
    const second = [at(20.009, 'b'), at(39.995, 'c'), at(60, 'd')];
    expect(await textsOf([file(first), file(second)])).toEqual({
      texts: ['a', 'b', 'c', 'd'],
      duplicates: 2,
    });
  });

  test('keep a packet that looks like another one that only the first captured', async () => {
    // An ARP request each second: the first captured the one at 1,000 ms, the second the one at 2,000 ms.
    const first = [at(0, 'arp'), at(1_000, 'arp')];
    const second = [at(2_000, 'arp'), at(3_000, 'arp')];
    expect(await textsOf([file(first), file(second)])).toMatchObject({ duplicates: 0 });
  });

  test('keep all of many packets that look alike, each once', async () => {
    const alike = Array.from({ length: 20 }, (_, i) => at(i, 'same'));
    const second = alike.slice(7).map(({ timeUs, data }) => ({ timeUs: timeUs - 3, data }));
    expect(await textsOf([file(alike.slice(0, 12)), file(second)])).toEqual({
      texts: alike.map(() => 'same'),
      duplicates: 5,
    });
  });

  test('keep in order a packet that one of them has lost', async () => {
    const first = [at(0, 'a'), at(20, 'b'), at(60, 'd'), at(80, 'e')];
    const second = [at(20, 'b'), at(40, 'c'), at(80, 'e'), at(100, 'f')];
    expect(await textsOf([file(first), file(second)])).toEqual({
      texts: ['a', 'b', 'c', 'd', 'e', 'f'],
      duplicates: 2,
    });
  });

  test('can have packets in a different order', async () => {
    const first = [at(0, 'a'), at(1, 'b'), at(2, 'c'), at(3, 'd')];
    const second = [at(1.9, 'c'), at(2, 'b'), at(3, 'd'), at(4, 'e')];
    expect(await textsOf([file(first), file(second)])).toEqual({
      texts: ['a', 'b', 'c', 'd', 'e'],
      duplicates: 3,
    });
  });

  test('can have different snaplens', async () => {
    const [a, b] = ['first-------', 'second------'];
    const short = { ...microseconds, snaplen: 8 };
    expect(
      await textsOf([{ ...file([at(0, a), at(20, b)]), header: short }, file([at(20, b), at(40, a)])]),
    ).toEqual({ texts: ['first---', 'second--', a], duplicates: 1 });
  });

  test('keep two packets of different lengths whose captured bytes are the same', async () => {
    const [longer, shorter] = [1_500, 60].map((originalBytes) => ({ ...at(0, 'header'), originalBytes }));
    const sources = [longer, shorter].flatMap((packet) => (packet ? file([packet]) : []));
    expect(await textsOf(sources)).toEqual({ texts: ['header', 'header'], duplicates: 0 });
  });

  test('can have different filters', async () => {
    const first = [at(0, 'dns'), at(20, 'http'), at(40, 'dns'), at(60, 'http')];
    const second = [at(20, 'http'), at(30, 'arp'), at(60, 'http'), at(70, 'arp')];
    expect(await textsOf([file(first), file(second)])).toEqual({
      texts: ['dns', 'http', 'arp', 'dns', 'http', 'arp'],
      duplicates: 2,
    });
  });

  test('have no duplicates when they captured at different places', async () => {
    const packets = [at(0, 'a'), at(20, 'b')];
    const sources = [file(packets), { ...file(packets), place: 'net1' }];
    expect(await textsOf(sources)).toEqual({ texts: ['a', 'b', 'a', 'b'], duplicates: 0 });
  });

  test('lose no packet when the clock was set back', async () => {
    const packets = Array.from({ length: 12 }, (_, i) => at(20 * i - (i < 7 ? 0 : 5_000), `packet ${i}`));
    const { texts } = await textsOf([file(packets.slice(0, 10)), file(packets.slice(5))]);
    expect(new Set(texts)).toEqual(new Set(packets.map(textOf)));
    expect(texts.slice(0, 5)).toEqual(packets.slice(0, 5).map(textOf));
  });

  test('pair alike packets in step where they arrive faster than they are stamped', async () => {
    // 10,000 a second. The second socket was delayed for 3 ms and then stamps all packets of that time at once.
    const alike = Array.from({ length: 400 }, (_, i) => at(i / 10, 'same'));
    const late = alike.slice(100).map(({ timeUs, data }, i) => ({
      timeUs: i > 50 && i <= 80 ? start + 18_000 + i : timeUs,
      data,
    }));
    const { texts, duplicates } = await textsOf([file(alike.slice(0, 300)), file(late)]);
    expect(duplicates).toBe(200);
    expect(texts).toHaveLength(400);
  });
});

test('three sources are joined with each packet once, though the second ended before the first', async () => {
  const packets = Array.from({ length: 10 }, (_, i) => at(20 * i, `packet ${i}`));
  const sources = [packets.slice(0, 7), packets.slice(2, 3), packets.slice(4)].map(file);
  const { texts, duplicates } = await textsOf(sources);
  expect(texts).toEqual(packets.map((_, i) => `packet ${i}`));
  expect(duplicates).toBe(4);
});

describe('any packets, captured by recorders that replace one another', { timeout: 30_000 }, () => {
  test('are joined once each, in order, though files are missing, ends are cut and packets look alike', async () => {
    await fc.assert(
      fc.asyncProperty(scenes({ alike: true }), async ({ packets, recorders }) => {
        const captured = recorders.map(({ from, to }) => packets.slice(from, to));
        const expected = packets.filter((_, i) => recorders.some(({ from, to }) => i >= from && i < to));
        const { texts } = await textsOf(recorders.map((recorder, i) => written(captured[i] ?? [], recorder)));
        expect(texts).toEqual(expected.map(textOf));
      }),
      { numRuns: 60 },
    );
  });

  test('are joined once each, though recorders lost packets and captured them in a different order', async () => {
    await fc.assert(
      fc.asyncProperty(scenes({ alike: false }), fc.infiniteStream(fc.nat(7)), async (scene, draws) => {
        const { packets, recorders } = scene;
        const draw = () => draws.next().value ?? 0;
        const captured = recorders.map(({ from, to }) =>
          swapped(
            packets.slice(from, to).filter(() => draw() > 0),
            draw,
          ),
        );
        const { texts } = await textsOf(recorders.map((recorder, i) => written(captured[i] ?? [], recorder)));
        const inAny = new Set(captured.flat().map(textOf));
        expect(texts.toSorted()).toEqual([...inAny].toSorted());
      }),
      { numRuns: 60 },
    );
  });
});

type TestRecorder = {
  readonly from: number;
  readonly to: number;
  readonly perFile: number;
  readonly cutBytes: number;
  /** How late its timestamps are, in microseconds. */
  readonly lateUs: number;
};

/** Packets 20 ms or 1 ms apart, and recorders that each captured a part of them; their oldest files are pruned. */
function scenes({ alike }: { readonly alike: boolean }) {
  return fc.integer({ min: 1, max: 60 }).chain((count) =>
    fc.record({
      packets: fc
        .array(fc.integer({ min: 0, max: alike ? 2 : 0 }), { minLength: count, maxLength: count })
        .map((kinds) =>
          kinds.map((kind, i) => at((alike ? 20 : 1) * i, alike ? 'packet'.repeat(1 + kind) : `packet ${i}`)),
        ),
      recorders: fc
        .array(
          fc.record({
            from: fc.nat(count - 1),
            length: fc.integer({ min: 0, max: count }),
            perFile: fc.integer({ min: 1, max: 9 }),
            cutBytes: fc.integer({ min: 0, max: 20 }),
            lateUs: fc.integer({ min: -4_000, max: 4_000 }),
          }),
          { minLength: 1, maxLength: 3 },
        )
        .map((list) =>
          list
            .map(({ from, length, ...rest }) => ({ ...rest, from, to: Math.min(count, from + length) }))
            .toSorted((a, b) => a.from - b.from),
        ),
    }),
  );
}

/** With a cut end, the file ends inside the record of one more packet. */
function written(packets: readonly TestPacket[], { perFile, cutBytes, lateUs }: TestRecorder): TestSource {
  const half = cutBytes > 0 ? [at(10_000, 'a packet that is never whole')] : [];
  const all = [...packets.map(({ timeUs, data }) => ({ timeUs: timeUs + lateUs, data })), ...half];
  const files = Array.from({ length: Math.max(1, Math.ceil(all.length / perFile)) }, (_, i) =>
    all.slice(i * perFile, (i + 1) * perFile),
  );
  return { files, cutBytes: half.length > 0 ? cutBytes : 0 };
}

function swapped(packets: readonly TestPacket[], draw: () => number): TestPacket[] {
  const result = [...packets];
  for (let i = 1; i < result.length; i += 2) {
    const [a, b] = [result[i - 1], result[i]];
    if (a && b && draw() === 0) [result[i - 1], result[i]] = [b, a];
  }
  return result;
}

function at(ms: number, text: string): TestPacket {
  return { timeUs: Math.round(start + ms * 1_000), data: Buffer.from(text) };
}

function file(packets: readonly TestPacket[]): TestSource {
  return { files: [packets] };
}

function textOf({ data }: TestPacket): string {
  return Buffer.from(data).toString();
}

async function textsOf(sources: readonly TestSource[]) {
  const { packets, overlap, damages } = await joined(sources);
  expect(damages).toEqual([]);
  return { texts: packets.map((data) => data.toString()), duplicates: overlap.packets };
}
