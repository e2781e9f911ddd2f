import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { capinfos } from '../pcap/testing/capinfos.ts';
import { captureBytes } from '../pcap/testing/capture-bytes.ts';
import { debianCaptures } from '../pcap/testing/debian-captures.ts';
import { temporaryFolder } from '../testbed/temporary-folder.ts';
import { mergeScene } from './testing/merge-scene.ts';
import { type TsharkPacket, tsharkPackets } from './testing/tshark-packets.ts';

/** How many choices of files are merged, and which ones: printed when one fails. */
const choices = Number(process.env['MERGE_CHOICES'] ?? 30);
const seed = Number(process.env['MERGE_SEED'] ?? Date.now() % 1_000_000);

test(`any ten captures merged are what sorting their packets gives, seed ${seed}`, async () => {
  await using folder = await temporaryFolder();
  await using scene = await mergeScene();
  const { installed, packaged } = await debianCaptures();
  const files = [...packaged, ...installed, ...(await writeCaptures(folder.path))];
  const known = await tsharkOfAll(files);
  expect(known.size).toBeGreaterThan(150);
  const random = randomNumbers(seed);
  for (let choice = 0; choice < choices; choice += 1) {
    const chosen = Array.from({ length: 10 }, () => [...known.keys()][random() % known.size] ?? '');
    const ran = await scene.merge([...chosen, '--to', ':merged.pcapng']);
    expect({ ...ran, chosen }).toMatchObject({ code: 0, chosen });
    const expected = sorted(
      chosen.map((file) => known.get(file) ?? []),
      names(chosen),
    );
    const merged = scene.pathOf('merged.pcapng');
    const packets = (await tsharkPackets(merged)) ?? [];
    const lines = packets.map((packet, at) => lineOf(packet, expected[at]?.isNameWrong));
    expect({ chosen, lines }).toEqual({ chosen, lines: expected.map((packet) => lineOf(packet)) });
    expect(await capinfos([merged])).toMatchObject([{ packets: expected.length, isWhole: true }]);
  }
}, 300_000);

/** Those that tshark can read to their end, two at a time. */
async function tsharkOfAll(files: readonly string[]): Promise<ReadonlyMap<string, readonly TsharkPacket[]>> {
  const known = new Map<string, readonly TsharkPacket[]>();
  const left = files.values();
  const work = async () => {
    for (const file of left) {
      const packets = await tsharkPackets(file);
      if (packets) known.set(file, packets);
    }
  };
  await Promise.all([work(), work()]);
  return known;
}

/** By the latest time so far in each file, then by file, then by place. */
function sorted(
  files: readonly (readonly TsharkPacket[])[],
  fileNames: readonly string[],
): readonly TsharkPacket[] {
  const keyed = files.flatMap((packets, file) => {
    let latest = Number.NEGATIVE_INFINITY;
    let latestFraction = 0;
    return packets.map((packet) => {
      const [seconds = '', fraction = ''] = packet.time.split('.');
      if (Number(seconds) > latest || (Number(seconds) === latest && Number(fraction) > latestFraction)) {
        latest = Number(seconds);
        latestFraction = Number(fraction);
      }
      const interfaceName = packet.interfaceName ?? fileNames[file];
      return { latest, latestFraction, packet: { ...packet, interfaceName } };
    });
  });
  // Sorting is stable: within a file, and for equal times, the order stays.
  return keyed
    .toSorted((a, b) => a.latest - b.latest || a.latestFraction - b.latestFraction)
    .map(({ packet }) => packet);
}

function lineOf(packet: TsharkPacket, isNameWrong = packet.isNameWrong): string {
  const { time, originalBytes, capturedBytes, interfaceName, md5 } = packet;
  return [time, originalBytes, capturedBytes, md5, isNameWrong ? '' : interfaceName].join(' ');
}

/** The names of the files, with their folders where two have the same. */
function names(files: readonly string[]): readonly string[] {
  return files.map((file) =>
    files.some((other) => other !== file && basename(other) === basename(file)) ? file : basename(file),
  );
}

/** What the packages do not have. */
async function writeCaptures(folder: string): Promise<readonly string[]> {
  const { header, record, section, interfaceBlock, packet, option } = captureBytes('little');
  const big = captureBytes('big');
  const units = (value: number) => option(9, Buffer.of(value));
  const captures: Readonly<Record<string, readonly Buffer[]>> = {
    'steps-back.pcap': [header(), ...[9, 5, 8, 20, 1].map((seconds) => record({ seconds }))],
    'cooked.pcap': [header({ network: 113 }), record({ seconds: 7 }), record({ original: 5_000 })],
    'nanoseconds.pcap': [
      big.header({ magic: 0xa1b23c4d, network: 101 }),
      big.record({ fraction: 123_456_789 }),
    ],
    'beyond-2038.pcap': [header(), record({ seconds: 0xf000_0000 })],
    'no-packets.pcap': [header()],
    'same-time.pcap': [
      header(),
      ...[1, 2, 3].map((length) => record({ seconds: 8, data: Buffer.alloc(length, length) })),
    ],
    'several.pcapng': [
      section(),
      interfaceBlock({ options: option(2, 'shop/web/eth0') }),
      interfaceBlock({ linkType: 113, options: Buffer.concat([option(2, 'nano'), units(9)]) }),
      packet({ id: 1, high: 400_000_000, low: 9 }),
      packet(),
      packet({ id: 1, high: 395_812_000, low: 9 }),
      interfaceBlock({ linkType: 101, options: Buffer.concat([option(2, 'late'), units(0x80 | 20)]) }),
      packet({ id: 2, high: 395_000 }),
    ],
    'offset.pcapng': [
      big.section(),
      big.interfaceBlock({ options: Buffer.concat([big.option(14, big.i64(1_000_000n))]) }),
      big.packet({ high: 395_000 }),
      big.section(),
      big.interfaceBlock({ linkType: 113 }),
      big.packet({ high: 395_900 }),
    ],
  };
  for (const [name, parts] of Object.entries(captures))
    await writeFile(join(folder, name), Buffer.concat(parts));
  return Object.keys(captures).map((name) => join(folder, name));
}

/** The same numbers for the same seed: a linear congruential generator. */
function randomNumbers(start: number): () => number {
  let state = start;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
}
