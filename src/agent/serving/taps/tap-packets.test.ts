import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StreamGap } from '../../../api/stream-frames.ts';
import { plainInterface } from '../../../pcap/testing/capture-bytes.ts';
import { packetOf } from '../../../pcap/testing/packet-of.ts';
import { readBytes } from '../../../pcap/testing/read-capture.ts';
import { pcapngWriter } from '../../../pcap/write/pcapng-writer.ts';
import { tapPackets } from './tap-packets.ts';

/** A reader that takes everything when it is told to. */
function reader() {
  const sent: (Uint8Array | StreamGap)[] = [];
  let pending = 0;
  return {
    sent,
    take: () => (pending = 0),
    bytes: () => Buffer.concat(sent.filter((each) => each instanceof Uint8Array)),
    stream: {
      pendingBytes: () => pending,
      async write(bytes: Uint8Array) {
        sent.push(bytes);
        pending += bytes.length;
      },
      async gap(gap: StreamGap) {
        sent.push(gap);
      },
    },
  };
}

function opened(stream: ReturnType<typeof reader>['stream'], count?: number) {
  let counted = 0;
  const packets = tapPackets({
    writer: pcapngWriter('podcap 0'),
    stream,
    mostPendingBytes: 1_000,
    count,
    onCount: () => (counted += 1),
  });
  packets.addInterface(plainInterface);
  packets.addInterface({ ...plainInterface, name: 'lo' });
  const send = (data: string, from = 0) => {
    packets.packet(packetOf({ time: 1n, original: data.length, data }), from);
    packets.flush();
  };
  return { packets, send, counted: () => counted };
}

test('a reader that is too slow gets whole packets, and hears how many are missing between them', async () => {
  const { stream, take, sent, bytes } = reader();
  const { packets, send } = opened(stream);
  for (const letter of 'abcdef') send(letter.repeat(300));
  take();
  for (const letter of 'gh') send(letter.repeat(300));
  packets.statistics();
  const read = await readBytes(bytes());
  expect(read.damage).toEqual([]);
  expect(read.packets.map(({ data, options }) => [data[0], options?.dropped])).toEqual([
    ['a', undefined],
    ['b', undefined],
    ['c', undefined],
    ['g', 3],
    ['h', undefined],
  ]);
  expect(read.received[0]).toMatchObject({ received: 8, droppedBySystem: 3 });
  const gaps = sent.filter((each) => !(each instanceof Uint8Array));
  expect(gaps).toEqual([{ reason: 'ReaderTooSlow', packets: 3, bytes: 900 }]);
  // The gap is between the packets: what follows it in the stream are those after it.
  const gapAt = sent.findIndex((each) => !(each instanceof Uint8Array));
  const after = sent.slice(gapAt + 1).filter((each) => each instanceof Uint8Array);
  expect(Buffer.concat(after).toString('latin1')).toMatch(/^[^abc]*g/);
  expect(packets.counts()).toEqual({ packets: 5, tooSlow: 3, droppedByKernel: 0 });
});

test('once packets are dropped, half of what waits must be taken before the next one is sent', () => {
  const { stream } = reader();
  let pending = 2_000;
  const { packets, send } = opened({ ...stream, pendingBytes: () => pending });
  send('x');
  pending = 700;
  send('x');
  expect(packets.counts()).toMatchObject({ packets: 0, tooSlow: 2 });
  pending = 300;
  send('x');
  pending = 700;
  send('x');
  expect(packets.counts()).toMatchObject({ packets: 2, tooSlow: 2 });
});

test('says at the end what was missing after the last packet', () => {
  const { stream, sent } = reader();
  const { packets, send } = opened(stream);
  for (const letter of 'abcd') send(letter.repeat(300));
  packets.statistics();
  expect(sent).toContainEqual({ reason: 'ReaderTooSlow', packets: 1, bytes: 300 });
});

test('what the kernel has dropped is counted once, for its interface', async () => {
  const { stream, sent, bytes } = reader();
  const { packets, send } = opened(stream);
  for (const total of [0, 4, undefined, 4, 9]) packets.droppedByKernel(1, total);
  send('a', 0);
  send('b', 1);
  packets.statistics();
  const read = await readBytes(bytes());
  expect(read.packets.map(({ options }) => options?.dropped)).toEqual([undefined, 9]);
  expect(read.received).toMatchObject([{ dropped: 0 }, { dropped: 9, received: 10 }]);
  expect(sent.filter((each) => !(each instanceof Uint8Array))).toEqual([
    { reason: 'Dropped', packets: 4 },
    { reason: 'Dropped', packets: 5 },
  ]);
});

test('sends no more than were asked for, and says so once', async () => {
  const { stream, bytes } = reader();
  const { send, counted } = opened(stream, 2);
  for (const letter of 'abcd') send(letter);
  expect(counted()).toBe(1);
  expect((await readBytes(bytes())).packets.map(({ data }) => data)).toEqual(['a', 'b']);
});

const events = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('packet' as const), bytes: fc.nat(600), from: fc.nat(1) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('take', 'flush', 'statistics') }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('dropped' as const), more: fc.nat(9), from: fc.nat(1) }),
  },
);

test('whatever comes in which order, a reader gets a valid pcapng in which no packet is missing without a word', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(events, { maxLength: 60 }), async (happened) => {
      const { stream, take, bytes } = reader();
      const { packets, send } = opened(stream);
      const passed = [0, 0];
      const dropped = [0, 0];
      for (const event of happened) {
        if ('bytes' in event) {
          send('x'.repeat(event.bytes), event.from);
          passed[event.from] = (passed[event.from] ?? 0) + 1;
        } else if ('more' in event) {
          dropped[event.from] = (dropped[event.from] ?? 0) + event.more;
          packets.droppedByKernel(event.from, dropped[event.from]);
        } else if (event.kind === 'take') take();
        else if (event.kind === 'flush') packets.flush();
        else packets.statistics();
      }
      take();
      for (const from of [0, 1]) send('last', from);
      packets.statistics();
      const read = await readBytes(bytes());
      expect(read.damage).toEqual([]);
      for (const from of [0, 1]) {
        const got = read.packets.filter(({ interfaceIndex }) => interfaceIndex === from);
        const missing = got.reduce((sum, { options }) => sum + (options?.dropped ?? 0), 0);
        expect(got.length + missing).toBe((passed[from] ?? 0) + 1 + (dropped[from] ?? 0));
      }
    }),
    { numRuns: 300 },
  );
});
