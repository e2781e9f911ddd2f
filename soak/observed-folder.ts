import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ringFiles } from '../end-to-end/support/ring-contents.ts';
import { type CaptureRecord, noTotals, readRecords } from '../src/agent/storage/capture-records.ts';
import type { RingFile } from '../src/agent/storage/file-names.ts';
import { readFreezes, ringInFreezing } from '../src/agent/storage/freezes.ts';
import { type FrozenRing, readFrozenRings } from '../src/agent/storage/frozen-rings.ts';
import { readRequester } from '../src/agent/storage/requester.ts';
import { mostFileBytes } from '../src/agent/storage/ring-size.ts';
import { ifExists } from '../src/base/fs-errors.ts';
import { capturedNumbers } from '../src/pcap/testing/captured-numbers.ts';
import type { ObservedInterface } from './gaps.ts';
import { type FoundCapture, observedCaptures } from './observed-captures.ts';

/** The folder of a Pod. */
export type ObservedFolder = {
  /** Differs from that of an earlier folder of the same Pod. */
  readonly id: string;
  /** The policy that asked last for its capture; undefined for the annotation. */
  readonly policy: string | undefined;
  /** The newest text of podcap.dev/freeze that was taken into account. */
  readonly seenText: string | undefined;
  /** What was captured of each interface; empty if files moved while they were read, each time that was tried. */
  readonly interfaces: readonly ObservedInterface[];
  /** How many of the largest files of 1 MB the files of the ring make, by the interface that they captured. */
  readonly ring: RingFiles;
  /** Oldest first, with one that is being frozen. */
  readonly frozen: readonly ObservedFrozenRing[];
};

export type ObservedFrozenRing = {
  readonly number: number;
  /** False while it is being frozen. */
  readonly isFrozen: boolean;
  /** The texts of podcap.dev/freeze that froze it. */
  readonly texts: readonly string[];
  /** The same as `ring` of the folder: those that are in its own folder, or on their way. */
  readonly files: RingFiles;
};

export type RingFiles = Readonly<Record<string, number>>;

/** A ring is set aside within seconds, and once a minute at most unless somebody asks for it. */
const mostAttempts = 5;

/** Reads the folder, given the generations whose tcpdump runs. Throws what readdir(2) says. */
export async function observeFolder(folder: string, running: ReadonlySet<number>): Promise<ObservedFolder> {
  const { ino, birthtimeMs } = await stat(folder);
  const id = `${ino} of ${birthtimeMs}`;
  for (let attempt = 1; ; attempt += 1) {
    const rings = await readFrozenRings(folder);
    const { records, places } = await readPlaces(folder, rings);
    const read = await readFiles(places);
    const { log } = await readFreezes(folder);
    const isConsistent = placesOf(rings) === placesOf(await readFrozenRings(folder));
    if (!isConsistent && attempt < mostAttempts) continue;
    return {
      id,
      policy: (await readRequester(folder)).policy,
      seenText: log?.seen.text,
      interfaces: isConsistent ? interfacesOf(id, { records, read, running }) : [],
      ring: filesOf(read, records, (file) => file.frozen === undefined),
      frozen: rings.map(({ record: { number, frozen, causes } }) => ({
        number,
        isFrozen: frozen !== undefined,
        texts: causes.flatMap(({ trigger, text }) => (trigger === 'manual' && text ? [text] : [])),
        files: filesOf(read, records, (file) => file.frozen === number),
      })),
    };
  }
}

/** A text that changes whenever files have been moved. */
function placesOf(rings: readonly FrozenRing[]): string {
  return JSON.stringify(
    rings.map(({ record, files }) => [record.number, record.frozen !== undefined, files]),
  );
}

/** A capture file, and the frozen ring to which it belongs; undefined: it belongs to the ring. */
type PlacedFile = RingFile & { readonly path: string; readonly frozen: number | undefined };

/** Files of other generations are hostile: to read one could block. */
async function readPlaces(folder: string, rings: readonly FrozenRing[]) {
  const byGeneration = new Map<number, CaptureRecord>();
  for (const ring of rings)
    for (const record of (await ifExists(readRecords(ring.folder))) ?? [])
      byGeneration.set(record.generation, record);
  for (const record of await readRecords(folder)) byGeneration.set(record.generation, record);
  const records = [...byGeneration.values()].toSorted((a, b) => a.generation - b.generation);
  const freezing = ringInFreezing({ log: undefined, rings })?.record;
  const places: PlacedFile[] = [];
  for (const { folder: path, record } of rings)
    for (const file of await ringFiles(path))
      places.push({ ...file, path: join(path, file.name), frozen: record.number });
  for (const file of await ringFiles(folder)) {
    const isHeld = freezing !== undefined && file.generation <= freezing.upTo;
    places.push({ ...file, path: join(folder, file.name), frozen: isHeld ? freezing.number : undefined });
  }
  return { records, places: places.filter(({ generation }) => byGeneration.has(generation)) };
}

type ReadFile = PlacedFile & { readonly bytes: number; readonly numbers: readonly number[] };

/** The ring may delete its oldest files meanwhile: what was read of still older ones would not be adjacent. */
async function readFiles(places: readonly PlacedFile[]): Promise<ReadFile[]> {
  const read = await Promise.all(
    places.map(async (file) => ({
      ...file,
      bytes: (await ifExists(stat(file.path)))?.size ?? 0,
      numbers: await ifExists(capturedNumbers(file.path)),
    })),
  );
  const deleted = read.findLastIndex(({ numbers, frozen }) => numbers === undefined && frozen === undefined);
  return read.flatMap(({ numbers, ...file }, at) =>
    numbers !== undefined && (file.frozen !== undefined || at > deleted) ? [{ ...file, numbers }] : [],
  );
}

type ReadFolder = {
  readonly records: readonly CaptureRecord[];
  readonly read: readonly ReadFile[];
  readonly running: ReadonlySet<number>;
};

function interfacesOf(id: string, { records, read, running }: ReadFolder): ObservedInterface[] {
  const filesByGeneration = Map.groupBy(read, ({ generation }) => generation);
  const found = records.map((record): FoundCapture => {
    // Those of a ring that is on its way are in two folders.
    const files = (filesByGeneration.get(record.generation) ?? []).toSorted((a, b) => a.index - b.index);
    return { record, frozen: files[0]?.frozen, files };
  });
  const { missed, dropped, lostAtStop } = records.at(-1)?.forgotten ?? noTotals;
  return [...observedCaptures(found, running)].map(([name, captures]) => ({
    id: `${id}: ${name}`,
    name,
    captures,
    forgotten: missed + dropped + lostAtStop,
  }));
}

function filesOf(
  read: readonly ReadFile[],
  records: readonly CaptureRecord[],
  isIn: (file: PlacedFile) => boolean,
): RingFiles {
  const files: Record<string, number> = {};
  for (const file of read.filter(isIn)) {
    const name = records.find(({ generation }) => generation === file.generation)?.interface ?? '';
    files[name] = (files[name] ?? 0) + file.bytes / mostFileBytes({ fileMegabytes: 1 });
  }
  return files;
}
