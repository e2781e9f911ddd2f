import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import {
  ack,
  ethernet,
  fin,
  ipv4,
  psh,
  syn,
  type TcpSegment,
  tcp,
  udp,
} from '../pcap/testing/build-packets.ts';
import { captureBytes } from '../pcap/testing/capture-bytes.ts';
import { tsharkField } from '../pcap/testing/tshark-field.ts';
import { run } from '../testbed/run-program.ts';
import { mergeScene } from './testing/merge-scene.ts';

const { header, record, section, interfaceBlock, packet, option } = captureBytes('little');
const web = [10, 0, 0, 1];
const db = [10, 0, 0, 2];
const dns = [10, 0, 0, 53];

/** A frame, and when its sender and its receiver capture it: in microseconds, and 200 µs later. */
type Frame = { readonly from: readonly number[]; readonly timeUs: number; readonly data: Buffer };

/** A connection from web to db in which each sends ten segments; and what each of the two sends to somebody else. */
const connection: readonly Frame[] = [
  frame(web, 0, { flags: syn, sequence: 100 }),
  frame(db, 1, { flags: syn | ack, sequence: 500, acknowledgment: 101 }),
  frame(web, 2, { flags: ack, sequence: 101, acknowledgment: 501 }),
  ...Array.from({ length: 10 }, (_, at) => [
    frame(web, 3 + 2 * at, segmentOf(101 + 8 * at, 501 + 8 * at)),
    frame(db, 4 + 2 * at, segmentOf(501 + 8 * at, 109 + 8 * at)),
  ]).flat(),
  frame(web, 30, { flags: fin | ack, sequence: 181, acknowledgment: 581 }),
  frame(db, 31, { flags: fin | ack, sequence: 581, acknowledgment: 182 }),
  frame(web, 32, { flags: ack, sequence: 182, acknowledgment: 582 }),
];
const frames = connection.length;
const queries = 5;

test.each(['if_IPv4addr', 'the packets'])(
  '--side keeps one end of a connection, whose addresses are known from %s',
  async (how) => {
    await using scene = await mergeScene();
    const write = how === 'the packets' ? pcapOf : pcapngOf;
    await scene.file('web.cap', write(web));
    await scene.file('db.cap', write(db));
    const merge = (...more: readonly string[]) =>
      scene.merge([':web.cap', ':db.cap', '--to', ':out.pcapng', ...more]);
    const counts = async () => [
      await count(scene.pathOf('out.pcapng'), 'tcp'),
      await count(scene.pathOf('out.pcapng'), 'udp'),
      await count(scene.pathOf('out.pcapng'), 'tcp.analysis.flags'),
    ];
    expect(await merge()).toMatchObject({ code: 0 });
    const [both = 0, others, flagged = 0] = await counts();
    expect([both, others]).toEqual([2 * frames, 2 * queries]);
    expect(flagged).toBeGreaterThan(20);
    for (const side of ['client', 'server']) {
      const ran = await merge('--side', side);
      expect(ran).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(/^podcap: wrote \d+ packets of .*\n$/),
      });
      expect(await counts()).toEqual([frames, 2 * queries, 0]);
      const names = await tsharkField(scene.pathOf('out.pcapng'), 'frame.interface_name', 'tcp');
      const kept = side === 'client' ? 'web' : 'db';
      expect(new Set(names)).toEqual(new Set([how === 'the packets' ? `${kept}.cap` : `shop/${kept}/eth0`]));
    }
  },
  120_000,
);

test('--side takes the files of a ring for one capture, which goes on between them', async () => {
  await using scene = await mergeScene();
  await scene.file('web.cap', pcapOf(web));
  const records = recordsOf(db);
  const names = records.map((_, at) => `db.pcap${at}`);
  for (const [at, one] of records.entries()) {
    const others = Array.from({ length: 10 }, (_two, peer) =>
      packetBetween(db, [10, 0, 1, peer], one.timeUs),
    );
    await scene.file(names[at] ?? '', header(), recordAt(one), ...others.map(recordAt));
  }
  await scene.merge([
    ':web.cap',
    ...names.map((name) => `:${name}`),
    '--side',
    'server',
    '--to',
    ':out.pcapng',
  ]);
  expect(await count(scene.pathOf('out.pcapng'), 'tcp.analysis.retransmission')).toBe(0);
});

test('captures of a Pod that talks to one peer only keep all, and --side says why', async () => {
  await using scene = await mergeScene();
  for (const [name, own] of [
    ['web.pcap', web],
    ['db.pcap', db],
  ] as const)
    await scene.file(
      name,
      header(),
      ...recordsOf(own)
        .slice(1, frames + 1)
        .map(recordAt),
    );
  const { code, stderr } = await scene.merge([
    ':web.pcap',
    ':db.pcap',
    '--side',
    'client',
    '--to',
    ':out.pcapng',
  ]);
  expect(code).toBe(0);
  for (const name of ['web.pcap', 'db.pcap'])
    expect(stderr).toContain(
      `${scene.pathOf(name)} is of 10.0.0.1 or 10.0.0.2, which are in nearly every packet: both ends of its conversations are kept\n`,
    );
  expect(await count(scene.pathOf('out.pcapng'), 'tcp')).toBe(2 * frames);
});

test('--names names the addresses of Pods, for tshark -N n', async () => {
  await using scene = await mergeScene();
  await scene.file('web.cap', pcapngOf(web));
  await scene.file('db.cap', pcapngOf(db));
  const hosts = async () => {
    const shown = [
      '-T',
      'fields',
      '-e',
      'ip.src_host',
      '-e',
      'ip.dst_host',
      '-Y',
      'tcp.seq == 0 and tcp.ack == 0',
    ];
    const output = await run(['tshark', '-N', 'n', '-r', scene.pathOf('out.pcapng'), ...shown]);
    return output.split('\n')[0]?.split('\t');
  };
  await scene.merge([':web.cap', ':db.cap', '--to', ':out.pcapng']);
  expect(await hosts()).not.toContain('shop/web');
  await scene.merge([':web.cap', ':db.cap', '--names', '--to', ':out.pcapng']);
  expect(await hosts()).toEqual(['shop/web', 'shop/db']);
});

test('a pipe takes part in a merge with --side, which says that it knows no addresses', async () => {
  await using scene = await mergeScene();
  await scene.file('db.cap', pcapngOf(db));
  const stdin = Readable.from([pcapngOf(web)]);
  const { code, stderr } = await scene.merge(['-', ':db.cap', '--side', 'client', '--to', ':out.pcapng'], {
    stdin,
  });
  expect([code, stderr]).toEqual([
    0,
    expect.stringContaining('standard input is a stream, whose addresses are not known'),
  ]);
  expect(await count(scene.pathOf('out.pcapng'), 'tcp')).toBe(2 * frames);
});

/** How many packets a display filter of tshark matches. */
async function count(file: string, filter: string): Promise<number> {
  return (await tsharkField(file, 'frame.number', filter)).length;
}

function pcapngOf(own: readonly number[]): Buffer {
  const options = Buffer.concat([
    option(2, `shop/${own === web ? 'web' : 'db'}/eth0`),
    option(4, Buffer.from([...own, 255, 255, 255, 255])),
  ]);
  const packets = recordsOf(own).map(({ timeUs, data }) => packet({ high: 0, low: timeUs, data }));
  return Buffer.concat([section(), interfaceBlock({ options }), ...packets]);
}

function pcapOf(own: readonly number[]): Buffer {
  return Buffer.concat([header(), ...recordsOf(own).map(recordAt)]);
}

function recordAt({ timeUs, data }: Omit<Frame, 'from'>): Buffer {
  return record({ seconds: 1, fraction: timeUs, data });
}

/** What one of the two captures: the connection, and its own queries. */
function recordsOf(own: readonly number[]): readonly Frame[] {
  const seen = connection.map((each) => (each.from === own ? each : { ...each, timeUs: each.timeUs + 200 }));
  // The capture runs before the connection is opened, and after it is closed.
  const others = Array.from({ length: queries }, (_, at) =>
    packetBetween(own, dns, at === 0 ? 0 : 900_000 + at),
  );
  return [...others.slice(0, 1), ...seen, ...others.slice(1)];
}

function packetBetween(from: readonly number[], to: readonly number[], timeUs: number): Frame {
  const payload = udp({ from: 40_000, to: 53_000 }, new Uint8Array(4));
  const data = Buffer.from(ethernet(0x0800, ipv4({ protocol: 17, payload, source: from, destination: to })));
  return { from, timeUs, data };
}

/** A segment that one of the two sends, one millisecond after the one before. */
function frame(from: readonly number[], at: number, fields: Omit<TcpSegment, 'from' | 'to'>): Frame {
  const isWeb = from === web;
  const ports = isWeb ? { from: 40_000, to: 5_432 } : { from: 5_432, to: 40_000 };
  const payload = tcp({ ...ports, ...fields });
  const packetBytes = ipv4({ protocol: 6, payload, source: from, destination: isWeb ? db : web });
  return { from, timeUs: (at + 1) * 1_000, data: Buffer.from(ethernet(0x0800, packetBytes)) };
}

function segmentOf(sequence: number, acknowledgment: number): Omit<TcpSegment, 'from' | 'to'> {
  return { flags: psh | ack, sequence, acknowledgment, payload: Buffer.from('8 bytes.') };
}
