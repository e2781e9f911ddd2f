import { expect, test } from 'vitest';
import { microseconds } from '../pcap/capture-interface.ts';
import type { CurrentPacket } from '../pcap/packet-reader.ts';
import { ack, ethernet, ipv4, syn, tcp } from '../pcap/testing/build-packets.ts';
import { plainInterface } from '../pcap/testing/capture-bytes.ts';
import { packetOf } from '../pcap/testing/packet-of.ts';
import { packetSelection } from './merge-selection.ts';
import { scanned } from './testing/scanned-capture.ts';

const web = [10, 0, 0, 1];
const db = [10, 0, 0, 2];
const range = { since: undefined, until: undefined };
const bothEnds = [scanned({ addresses: [['10.0.0.1']] }), scanned({ addresses: [['10.0.0.2']] })];

test('without options, everything is selected', async () => {
  expect(await selected([[0, opening()]], { ...range, side: undefined })).toEqual([0]);
});

test('only what is in the range of time is selected', async () => {
  const since = { seconds: 5, nanoseconds: 0 };
  const packets = [4, 5].map((seconds) => [seconds, { ...opening(), seconds }] as const);
  expect(await selected(packets, { ...range, since, side: undefined })).toEqual([5]);
});

test.each([
  ['client', [0, 0]],
  ['server', [1, 1]],
] as const)('of both ends, only what the %s captured is selected', async (side, expected) => {
  const packets = [opening(), answer()].flatMap((packet) => [0, 1].map((input) => [input, packet] as const));
  expect(await selected(packets, { ...range, side })).toEqual(expected);
});

test('what has a partner outside the range of time is selected', async () => {
  const since = { seconds: 5, nanoseconds: 0 };
  const packets = [
    [0, { ...opening(), seconds: 4, nanoseconds: 999_999_999 }],
    [1, { ...opening(), seconds: 5 }],
  ] as const;
  expect(await selected(packets, { ...range, since, side: 'client' })).toEqual([1]);
});

test('what a stream, or an interface of unknown addresses has is selected', async () => {
  const captures = [
    scanned({ addresses: undefined }),
    scanned({ addresses: [['10.0.0.2'], []] }),
    scanned({ addresses: [['10.0.0.1']] }),
  ];
  const unknown = { ...opening(), interfaceIndex: 1 };
  const packets = [
    [0, opening()],
    [1, unknown],
    [1, opening()],
    [2, opening()],
  ] as const;
  expect(await selected(packets, { ...range, side: 'client', captures })).toEqual([0, 1, 2]);
});

test('an interface that is described late counts if it has addresses; if not, a message says so', async () => {
  const problems: string[] = [];
  const late = { ...opening(), interfaceIndex: 1 };
  const packets = [
    [0, opening()],
    [1, late],
    [1, { ...late, interfaceIndex: 2 }],
    [1, { ...late, interfaceIndex: 2 }],
  ] as const;
  const options = { ...range, side: 'client', problems } as const;
  const captures = [
    scanned({ addresses: [['10.0.0.1']] }),
    scanned({ name: 'b', addresses: [['10.0.0.9']] }),
  ];
  expect(await selected(packets, { ...options, captures })).toEqual([0, 1, 1]);
  expect(problems).toEqual([
    'b, interface without a name, is described without addresses, and late: both ends of its conversations are kept',
  ]);
});

type Options = Pick<Parameters<typeof packetSelection>[0], 'side' | 'since' | 'until'> & {
  readonly captures?: typeof bothEnds;
  readonly problems?: string[];
};

/** The inputs of the packets that are selected. The interface 1 has db's address. */
async function selected(
  packets: readonly (readonly [input: number, packet: CurrentPacket])[],
  { captures = bothEnds, problems = [], ...options }: Options,
): Promise<number[]> {
  let at = -1;
  const lateInterface = { ...plainInterface, resolution: microseconds, addresses: ['10.0.0.2'] };
  const interfaces = [plainInterface, lateInterface, plainInterface];
  const { merged, keeps } = packetSelection({
    ...options,
    captures,
    merged: {
      next: () => (at += 1) < packets.length,
      get input() {
        return packets[at]?.[0] ?? -1;
      },
      get reader() {
        return { packet: packets[at]?.[1] ?? opening(), interfaces };
      },
    },
    onSideProblem: (problem) => problems.push(problem),
  });
  const inputs: number[] = [];
  while (await merged.next()) {
    const { input, reader } = merged;
    if (keeps(reader.packet, input, plainInterface)) inputs.push(input);
  }
  return inputs;
}

function opening(): CurrentPacket {
  return segment(web, db, { from: 40_000, to: 80, flags: syn });
}

function answer(): CurrentPacket {
  return segment(db, web, { from: 80, to: 40_000, flags: syn | ack });
}

function segment(
  source: readonly number[],
  destination: readonly number[],
  fields: Parameters<typeof tcp>[0],
) {
  const frame = ethernet(0x0800, ipv4({ protocol: 6, payload: tcp(fields), source, destination }));
  return packetOf({ time: 0n, original: frame.length, data: Buffer.from(frame).toString('latin1') });
}
