import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { serialQueue } from '../../base/serial-queue.ts';
import { deadCaptures } from '../storage/dead-captures.ts';
import { ringFileBase, ringFileName } from '../storage/file-names.ts';
import { type CaptureFolder, captureFolder, type Generation } from '../storage/generations.ts';
import { type LeftoverPruning, startLeftoverPruning } from '../storage/prune-leftovers.ts';
import { recordWriter } from '../storage/record-writer.ts';

/** The folder of the Pod "web" at that path, which exists, at a time that stands still. */
export function ringFolder(path: string): CaptureFolder {
  const writer = recordWriter(path);
  const clock = { nowMs: () => 1_000, bootId: 'boot' };
  const dead = deadCaptures({
    path,
    agent: 'podcap-1',
    clock,
    writer,
    withinBounds: (work) => work(),
    unlessRemoved: (work) => work(),
    log: pino({ level: 'silent' }),
  });
  return captureFolder({
    writer,
    dead,
    path,
    pod: { namespace: 'default', name: 'web', uid: 'uid-1' },
    clock,
    compareQueue: serialQueue(),
    makeFolder: async () => {},
    onDeleted: () => ({ [Symbol.dispose]() {} }),
    frozenUpTo: async () => 0,
  });
}

/** Takes the next generation of the folder, for a capture of files of 1 MB that runs. */
export async function startGeneration(folder: CaptureFolder, name = 'eth0'): Promise<Generation> {
  return await folder.createGeneration({
    agent: 'podcap-1',
    interface: name,
    sandboxId: 'sandbox1',
    fileMegabytes: 1,
  });
}

/** The same, for one that has ended. */
export async function endedGeneration(folder: CaptureFolder, name = 'eth0'): Promise<Generation> {
  const generation = await startGeneration(folder, name);
  await generation.note({ endTime: '2026-01-01T00:00:00Z', interfacePackets: 1 });
  return generation;
}

/** Prunes rings of that many files of 1 MB. */
export function pruningOf(
  folder: CaptureFolder,
  files: number,
  interfaces: readonly string[] = ['eth0'],
): LeftoverPruning {
  const rings = { interfaces, size: { files, fileMegabytes: 1 } };
  return startLeftoverPruning({ folder, rings, maxFiles: 100, log: pino({ level: 'silent' }) });
}

/** The name of a capture file of that folder. */
export function ringFile(generation: number, index: number): string {
  return ringFileName(ringFileBase('web', generation), index);
}

/** Makes a file of that many bytes, 1 MB by default, which takes no space on the disk. */
export async function makeRingFile(path: string, bytes = 1_000_000): Promise<void> {
  await writeFile(path, '');
  await truncate(path, bytes);
}

/** Makes capture files of one generation: as many as there are sizes, in bytes. */
export async function makeRingFiles(
  folder: string,
  generation: number,
  sizes: readonly number[],
): Promise<void> {
  for (const [index, bytes] of sizes.entries())
    await makeRingFile(join(folder, ringFile(generation, index)), bytes);
}
