import { link, lstat, mkdir, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { hasCode, ifExists } from '../../base/fs-errors.ts';
import { firstTimeUs, lastTimeUs } from '../../pcap/join/source.ts';
import { isAgents } from './agent-files.ts';
import { awaitsRecount, isOver, readRecord, startedGenerations } from './capture-records.ts';
import {
  frozenFolderName,
  frozenRecordName,
  parseFrozenFolderName,
  parseRecordName,
  parseRingFile,
  recordName,
} from './file-names.ts';
import {
  type FreezeCause,
  type FreezeLog,
  type FreezeRecord,
  readFreezeRecord,
  writeFreezeRecord,
} from './freeze-records.ts';
import { packetsIn } from './packets-in.ts';
import { readGenerations } from './recorded-generations.ts';
import { replacedName } from './replace-file.ts';
import { listRingFiles } from './ring-files.ts';
import { openSnapshot } from './snapshot.ts';

/** A ring that was set aside: in a folder of its own, into which tcpdump's user cannot write. */
export type FrozenRing = {
  readonly folder: string;
  readonly record: FreezeRecord;
  /** How many capture files it has, and their total size. */
  readonly files: number;
  readonly bytes: number;
};

/** The frozen rings in a Pod's folder, oldest first, with one that is still being frozen. */
export async function readFrozenRings(podFolder: string): Promise<FrozenRing[]> {
  const rings: FrozenRing[] = [];
  for (const number of await frozenNumbers(podFolder)) {
    const folder = join(podFolder, frozenFolderName(number));
    const record = await ifExists(readFreezeRecord(folder));
    if (record?.number !== number) continue;
    const sizes = await Promise.all(
      ((await ifExists(listRingFiles(folder))) ?? []).map(
        async ({ name }) => (await ifExists(lstat(join(folder, name))))?.size ?? 0,
      ),
    );
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    rings.push({ folder, record, files: sizes.length, bytes });
  }
  return rings;
}

export type FreezeIntent = {
  readonly causes: readonly FreezeCause[];
  readonly notFrozenBefore: number;
  readonly log: FreezeLog;
  readonly clock: Clock;
};

/**
 * Writes down that the ring as it is now is to be set aside: from then on, whatever happens, it will be. Returns undefined
 * if another agent has just done that.
 */
export async function intendToFreeze(
  podFolder: string,
  { causes, notFrozenBefore, log, clock }: FreezeIntent,
): Promise<FreezeRecord | undefined> {
  const upTo = Math.max(0, ...(await startedGenerations(podFolder)));
  const number = await makeNextFolder(podFolder);
  if (number === undefined) return undefined;
  const record: FreezeRecord = {
    version: 1,
    number,
    causes: [...causes],
    upTo,
    time: new Date().toISOString(),
    clock: { bootId: clock.bootId, startMs: clock.nowMs() },
    notFrozenBefore,
    log,
  };
  const folder = join(podFolder, frozenFolderName(number));
  try {
    await writeFreezeRecord(folder, record);
  } catch (error) {
    await removeFrozenFolder(folder);
    throw error;
  }
  return record;
}

export type SetAsideOptions = {
  /** The name of the agent's own Pod. */
  readonly agent: string;
  readonly clock: Clock;
  /** The agent of that capture is dead: its packets are counted where its files still are. */
  readonly countDead: (generation: number) => Promise<void>;
};

/**
 * Moves the files of the ring into the folder of their frozen ring, with the records of their captures. Can be repeated
 * until it succeeds. Throws while another agent still captures into them.
 */
export async function setAside(
  podFolder: string,
  record: FreezeRecord,
  { agent, clock, countDead }: SetAsideOptions,
): Promise<FreezeRecord> {
  const folder = join(podFolder, frozenFolderName(record.number));
  const files = (await listRingFiles(podFolder)).filter(({ generation }) => generation <= record.upTo);
  for (const generation of new Set(files.map((file) => file.generation))) {
    const capture = await readRecord(podFolder, generation);
    if (capture && capture.agent !== agent && !isOver(capture, clock))
      throw new Error(`agent ${capture.agent} has not ended its capture ${generation} yet`);
    if (capture && awaitsRecount(capture)) await countDead(generation);
    await linkOver(join(podFolder, recordName(generation)), join(folder, recordName(generation)));
  }
  for (const { name } of files) await moveFile(join(podFolder, name), join(folder, name));
  const frozen = { ...record, frozen: await contentsOf(folder) };
  await writeFreezeRecord(folder, frozen);
  return frozen;
}

/** tcpdump's user can put a folder in the place of a file that has been listed: that goes back. */
async function moveFile(from: string, to: string): Promise<void> {
  await ifExists(rename(from, to));
  const moved = await ifExists(lstat(to));
  if (moved?.isDirectory()) await rename(to, from).catch(() => {});
}

/** How many packets were deleted, by the interface that they passed; '' if that is not known. */
export type DeletedPackets = ReadonlyMap<string, number>;

/** Deletes a frozen ring; returns how many packets were in its files. */
export async function deleteFrozenRing({ folder }: Pick<FrozenRing, 'folder'>): Promise<DeletedPackets> {
  const packets = new Map<string, number>();
  for (const { name, generation } of (await ifExists(listRingFiles(folder))) ?? []) {
    const count = await packetsIn(join(folder, name)).catch(() => 0);
    const captured = (await readRecord(folder, generation))?.interface ?? '';
    const isDeleted = (await ifExists(unlink(join(folder, name)).then(() => true))) === true;
    if (isDeleted) packets.set(captured, (packets.get(captured) ?? 0) + count);
  }
  await removeFrozenFolder(folder);
  return packets;
}

/** Deletes what an agent wrote into the folders of all frozen rings. */
export async function removeFrozenFolders(podFolder: string): Promise<void> {
  for (const number of await frozenNumbers(podFolder))
    await removeFrozenFolder(join(podFolder, frozenFolderName(number)));
}

/** The first one and the newest ones stay. Pure. */
export function surplusRings<Ring extends Pick<FrozenRing, 'record'>>(
  rings: readonly Ring[],
  most: number,
): Ring[] {
  const [, ...later] = rings.filter(({ record }) => record.frozen !== undefined);
  return later.slice(0, Math.max(0, later.length - (most - 1)));
}

/** The numbers of the folders of frozen rings, lowest first: only of those that an agent has made. */
export async function frozenNumbers(podFolder: string): Promise<number[]> {
  const owner = await ifExists(lstat(podFolder));
  const numbers: number[] = [];
  for (const entry of (await ifExists(readdir(podFolder, { withFileTypes: true }))) ?? []) {
    const number = entry.isDirectory() ? parseFrozenFolderName(entry.name) : undefined;
    if (number === undefined || !owner) continue;
    // tcpdump's user can make folders too.
    const stats = await ifExists(lstat(join(podFolder, entry.name)));
    if (stats && isAgents(stats.uid, owner.uid)) numbers.push(number);
  }
  return numbers.toSorted((a, b) => a - b);
}

/** Takes the next number, and passes over what tcpdump's user has left. Undefined if another agent has just taken it. */
async function makeNextFolder(podFolder: string): Promise<number | undefined> {
  for (let number = Math.max(0, ...(await frozenNumbers(podFolder))) + 1; ; number += 1) {
    try {
      await mkdir(join(podFolder, frozenFolderName(number)), { mode: 0o700 });
      return number;
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
      if ((await frozenNumbers(podFolder)).includes(number)) return undefined;
    }
  }
}

async function removeFrozenFolder(folder: string): Promise<void> {
  for (const name of (await ifExists(readdir(folder))) ?? []) {
    const written = replacedName(name);
    const isOwn =
      parseRingFile(name) !== undefined ||
      parseRecordName(written) !== undefined ||
      written === frozenRecordName;
    // A folder that tcpdump's user has made stays, and so does this one then.
    if (isOwn) await ifExists(unlink(join(folder, name)).catch(unlessFolder));
  }
  await ifExists(rmdir(folder)).catch((error: unknown) => {
    if (!hasCode(error, 'ENOTEMPTY')) throw error;
  });
}

function unlessFolder(error: unknown): void {
  if (!hasCode(error, 'EISDIR') && !hasCode(error, 'EPERM')) throw error;
}

/** A link takes no space. The record is replaced by rename, so what is linked stays as it is. */
async function linkOver(from: string, to: string): Promise<void> {
  await ifExists(unlink(`${to}.new`));
  if ((await ifExists(link(from, `${to}.new`).then(() => true))) === true) await rename(`${to}.new`, to);
}

/** More than this is not read only to count it. */
const mostCountedBytes = 200_000_000;

async function contentsOf(folder: string): Promise<NonNullable<FreezeRecord['frozen']>> {
  const generations = (await readGenerations(folder)) ?? [];
  const files = generations.flatMap((generation) => generation.files);
  await using snapshot = await openSnapshot(generations);
  let first = Infinity;
  let last = -Infinity;
  for (const source of snapshot.sources) {
    first = Math.min(first, (await firstTimeUs(source)) ?? Infinity);
    last = Math.max(last, (await lastTimeUs(source)) ?? -Infinity);
  }
  const isCounted = files.reduce((sum, { bytes }) => sum + bytes, 0) <= mostCountedBytes;
  let packets = 0;
  if (isCounted) for (const { path } of files) packets += await packetsIn(path).catch(() => 0);
  return {
    ...(isCounted && { packets }),
    ...(first <= last && { first: rfc3339(first), last: rfc3339(last) }),
  };
}

function rfc3339(timeUs: number): string {
  return new Date(Math.floor(timeUs / 1_000)).toISOString();
}
