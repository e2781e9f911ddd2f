import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { startChild } from '../../testbed/child-program.ts';
import { run } from '../../testbed/run-program.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { type Capinfos, capinfos } from '../testing/capinfos.ts';
import { captureBytes, someData } from '../testing/capture-bytes.ts';
import { debianCaptures } from '../testing/debian-captures.ts';
import { type ReadCapture, readBytes, readOpened } from '../testing/read-capture.ts';
import { detectFormat } from './capture-format.ts';
import { openCaptureFiles, openCaptureStream } from './capture-reader.ts';

test('the capture files of Debian packages have the packets and times that capinfos finds', async () => {
  const { installed, packaged } = await debianCaptures();
  expect(packaged.length).toBeGreaterThan(180);
  // Other packages may have formats that only Wireshark reads.
  const readable = await Promise.all(installed.map(hasKnownFormat));
  const compared = await compare([...packaged, ...installed.filter((_, at) => readable[at])]);
  const whole = compared.filter(({ theirs }) => theirs.isWhole);
  expect(whole.length).toBeGreaterThan(150);
  expect(whole.map(({ file, ours }) => [file, ours.packets.length, ours.damage])).toEqual(
    whole.map(({ file, theirs }) => [file, theirs.packets, []]),
  );
  // Simple packets have no times, and then capinfos shows none.
  const timed = whole.filter(({ theirs }) => theirs.earliest !== 'n/a');
  expect(timed.length).toBeGreaterThan(30);
  expect(timed.map(({ file, ours, theirs }) => [file, ...timesLike(theirs, ours)])).toEqual(
    timed.map(({ file, theirs }) => [file, theirs.earliest, theirs.latest]),
  );
  const partial = compared.filter(({ theirs }) => !theirs.isWhole);
  expect(partial.filter(({ ours }) => ours.damage.length === 0).map(({ file }) => file)).toEqual([]);
  await expectAtLeast(partial);
}, 120_000);

test('damaged copies of them have at least the packets that capinfos finds', async () => {
  await using folder = await temporaryFolder();
  const { packaged } = await debianCaptures();
  const random = randomNumbers(16);
  const damaged: string[] = [];
  for (const file of packaged) {
    const bytes = await readFile(file);
    const head = headBytes(bytes);
    if (bytes.length < head + 8) continue;
    for (const damage of [overwrite, cutOut, truncate]) {
      const path = join(folder.path, `${damaged.length}-${damage.name}-${basename(file)}`);
      await writeFile(path, damage(bytes, head + (random() % (bytes.length - head)), random()));
      damaged.push(path);
    }
  }
  expect(damaged.length).toBeGreaterThan(200);
  const compared = await compare(damaged);
  expect(
    compared.filter(({ theirs }) => !theirs.isWhole && theirs.packets !== undefined).length,
  ).toBeGreaterThan(50);
  await expectAtLeast(compared);
}, 120_000);

const little = captureBytes('little');
const { header, record, section, interfaceBlock, packet, block, u16, u32 } = little;
const big = captureBytes('big');
const ngStart = Buffer.concat([section(), interfaceBlock()]);

// Each is one that readers disagree on, or that was a mistake in one of them.
const crafted: Readonly<Record<string, readonly Buffer[]>> = {
  'original-length-0': [header(), record({ original: 0 }), record()],
  'captured-above-original': [header(), record({ original: 3 }), record()],
  'captured-above-snaplen': [header({ snaplen: 4 }), record(), record()],
  'no-captured-byte': [header(), record({ data: Buffer.alloc(0) }), record()],
  'zeros-between': [header(), record(), Buffer.alloc(64), record()],
  'zeros-at-the-end': [header(), record(), Buffer.alloc(64)],
  'largest-packet': [header(), record({ data: Buffer.alloc(262_144) }), record()],
  'version-2.2': [header({ version: [2, 2] }), record({ captured: 90, original: 20 }), record()],
  'version-2.3': [header({ version: [2, 3] }), record({ captured: 90, original: 20 }), record()],
  'version-2.9': [header({ version: [2, 9] }), record()],
  'version-543.0': [header({ version: [543, 0] }), record({ captured: 90, original: 20 }), record()],
  'after-2038': [header(), record({ seconds: 0xffff_ffff })],
  'invalid-microseconds': [header(), record({ fraction: 0xffff_ffff }), record()],
  'invalid-nanoseconds': [header({ magic: 0xa1b23c4d }), record({ fraction: 0xffff_ffff }), record()],
  'frame-check-sequence': [header({ network: 0x2400_0001 }), record()],
  'big-endian': [big.header(), big.record(), big.record()],
  'no-packets': [header()],
  'simple-packets': [ngStart, block(3, Buffer.concat([u32(20), someData])), packet()],
  'older-packet': [
    ngStart,
    block(2, Buffer.concat([u16(0), u16(3), ...[1, 2, 20, 20].map(u32), someData])),
    packet(),
  ],
  'unknown-block': [ngStart, block(0x1234, someData), packet()],
  'late-interface': [ngStart, packet(), interfaceBlock({ linkType: 113 }), packet({ id: 1 })],
  'two-sections': [ngStart, packet(), big.section(), big.interfaceBlock(), big.packet()],
  'wrong-section-length': [section({ length: 8n }), interfaceBlock(), packet()],
  'version-1.2': [section({ version: [1, 2] }), interfaceBlock(), packet()],
  'latest-time': [ngStart, packet({ high: 0xffff_ffff, low: 0xffff_ffff })],
  'empty-section': [section()],
};

test('crafted captures have the packets that capinfos finds', async () => {
  await using folder = await temporaryFolder();
  const files = Object.keys(crafted).map((name) => join(folder.path, name));
  for (const [at, bytes] of Object.values(crafted).entries())
    await writeFile(files[at] ?? '', Buffer.concat(bytes));
  const compared = await compare(files);
  expect(compared.map(({ file, ours }) => [basename(file), ours.packets.length, ours.damage])).toEqual(
    compared.map(({ file, theirs }) => [basename(file), theirs.packets, []]),
  );
});

test('a FIFO is read like a file', async () => {
  await using folder = await temporaryFolder();
  const [file, fifo] = [join(folder.path, 'web.pcap'), join(folder.path, 'fifo')];
  await writeFile(file, Buffer.concat([header(), ...Array<Buffer>(50_000).fill(record())]));
  await run(['mkfifo', fifo]);
  await using _writing = startChild(['sh', '-c', 'exec cat "$1" >"$2"', 'sh', file, fifo], () => {});
  const read = await readOpened(await openCaptureStream(createReadStream(fifo), { name: 'fifo' }));
  expect(read.packets).toHaveLength(50_000);
  expect(read.damage).toEqual([]);
});

type Compared = { readonly file: string; readonly ours: ReadCapture; readonly theirs: Capinfos };

/** Files that either of the two refuses to open are left out, but not if only we do. */
async function compare(files: readonly string[]): Promise<readonly Compared[]> {
  const infos = await capinfos(files);
  const compared: Compared[] = [];
  for (const [at, file] of files.entries()) {
    const theirs = infos[at];
    const opened = await openCaptureFiles([file]);
    if (theirs?.packets === undefined) {
      if (opened.kind === 'capture') await opened.reader[Symbol.asyncDispose]();
      continue;
    }
    const ours = await readOpened(opened);
    const streamed = await readBytes(await readFile(file), { chunkBytes: 999 });
    expect(streamed.packets).toEqual(ours.packets);
    compared.push({ file, ours, theirs });
  }
  return compared;
}

async function hasKnownFormat(file: string): Promise<boolean> {
  return detectFormat((await readFile(file)).subarray(0, 4)).kind !== 'other';
}

/** capinfos stops at damage. */
async function expectAtLeast(compared: readonly Compared[]): Promise<void> {
  const fewer = compared.filter(({ ours, theirs }) => ours.packets.length < (theirs.packets ?? 0));
  const types = await Promise.all(fewer.map(({ file }) => captureType(file)));
  // Of a damaged file, it can believe that it is a variant with longer record headers, and find packets that are none.
  const standard = fewer.filter((_, at) => !isVariant(types[at]));
  expect(standard.map(({ file }) => file)).toEqual([]);
}

/** What Wireshark takes a file for, by the content of its first records too. */
async function captureType(file: string): Promise<string> {
  const line = await run(['captype', file]);
  return line.trim().slice(`${file}: `.length);
}

function isVariant(type: string | undefined): boolean {
  return type === 'nokiapcap' || type === 'rh6_1pcap';
}

/** The earliest and the latest time, in seconds with as many digits as theirs have. */
function timesLike({ earliest = '', latest = '' }: Capinfos, { packets }: ReadCapture): readonly string[] {
  const times = packets
    .map(({ seconds, nanoseconds }) => `${seconds}.${`${nanoseconds}`.padStart(9, '0')}`)
    .toSorted((a, b) => a.length - b.length || (a < b ? -1 : 1));
  return [times[0]?.slice(0, earliest.length) ?? '', times.at(-1)?.slice(0, latest.length) ?? ''];
}

/** capinfos takes a file for something else if the first header or section header is damaged. */
function headBytes(bytes: Buffer): number {
  if (bytes.readUInt32BE(0) !== 0x0a0d0d0a) return 24;
  return bytes.readUInt8(8) === 0x4d ? bytes.readUInt32LE(4) : bytes.readUInt32BE(4);
}

function overwrite(bytes: Buffer, at: number, value: number): Buffer {
  const damaged = Buffer.from(bytes);
  damaged.fill(value & 0xff, at, Math.min(bytes.length, at + 1 + (value % 5)));
  return damaged;
}

function cutOut(bytes: Buffer, at: number, value: number): Buffer {
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + (value % 40))]);
}

function truncate(bytes: Buffer, at: number): Buffer {
  return bytes.subarray(0, at);
}

/** The same numbers in each run: a linear congruential generator. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 4;
  };
}
