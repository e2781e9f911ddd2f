import type { Logger } from 'pino';
import { coalesced } from '../../base/coalesced.ts';
import { every } from '../../base/timers.ts';
import type { Progress } from '../observability/progress.ts';
import type { CaptureFolders } from './capture-folders.ts';
import { type FreeSpace, freeSpaceOf } from './free-space.ts';

/** How much of the disk was free, and what was known of the captures then. */
export type DiskSample = {
  readonly disk: FreeSpace;
  /** By UID, how many bytes each had when it was last measured. */
  readonly bytesOf: ReadonlyMap<string, number>;
  /**
   * Whether all of them were measured right before. If not, what one of them wrote since then counts twice, as taken
   * space and as growth.
   */
  readonly isMeasured: boolean;
  /** What readers keep of capture files that are deleted: it is not free, and in no folder. */
  readonly heldBytes: number;
};

/** Samples how much of the captures' disk is free, and how large the captures are. */
export type DiskSampling = Disposable & {
  readonly latest: () => DiskSample;
  /**
   * Samples the disk again, because a folder appeared or was deleted: space that is free already must not be freed once
   * more. That folder has been measured by then, and the others need not be.
   */
  readonly sample: () => void;
  /** Measures all captures and samples the disk again: for a plan in which the two have to agree. */
  readonly measure: () => void;
};

export type DiskSamplingOptions = {
  /** The folder of captures. */
  readonly root: string;
  readonly folders: Pick<CaptureFolders, 'measureAll' | 'states'>;
  readonly minFreeDiskPercent: number;
  /** Measures what readers keep of capture files that are deleted. */
  readonly heldBytes: () => Promise<number>;
  /** Called after each sample of the disk. */
  readonly onSample: () => void;
  readonly progress: Pick<Progress, 'expect'>;
  readonly log: Logger;
};

/** Capture files grow and the disk fills without any notification. */
const measureEveryMs = 30_000;
/** Others fill the same disk. Asking how much of it is free costs little. */
const checkEveryMs = 2_000;
/** By then, the disk does not answer, or something blocks the threads of libuv that would ask it. */
const stuckAfterMs = 60_000;
/** It reads every folder of captures: on a slow disk, a long time is no error. */
const measureStuckAfterMs = 300_000;

/** Resolves with the first sample taken; the captures have been measured. Throws what statfs(2) says of the folder. */
export async function startDiskSampling(options: DiskSamplingOptions): Promise<DiskSampling> {
  const { root, folders, onSample, progress, log } = options;
  let areMeasured = true;
  const sampled = progress.expect('sampling the disk', stuckAfterMs);
  const measured = progress.expect('measuring captures', measureStuckAfterMs);

  async function takeSample(): Promise<DiskSample> {
    const isMeasured = areMeasured;
    areMeasured = false;
    // Before the disk: what is written in between counts twice rather than nowhere.
    const bytesOf = new Map([...folders.states()].map(([uid, { bytes }]) => [uid, bytes]));
    return { disk: await freeSpaceOf(root), bytesOf, isMeasured, heldBytes: await options.heldBytes() };
  }

  let latest = await takeSample();
  const sampling = coalesced(
    async () => {
      latest = await takeSample();
      onSample();
    },
    (error) => log.warn({ err: error }, 'failed to sample the disk'),
  );
  const measuring = coalesced(
    async () => {
      await folders.measureAll().finally(measured);
      areMeasured = true;
      sampling.run();
    },
    (error) => log.warn({ err: error }, 'failed to measure captures'),
  );
  const hasMinimum = ({ availableBytes, capacityBytes }: FreeSpace) =>
    100 * availableBytes > options.minFreeDiskPercent * capacityBytes;

  const checkTimer = every(checkEveryMs, async () => {
    const now = await freeSpaceOf(root).finally(sampled);
    // While somebody reads, what the ring deletes is kept.
    if ((await options.heldBytes()) !== latest.heldBytes) sampling.run();
    // In between, the captures are measured only when the minimum is crossed: that changes the plan.
    if (hasMinimum(now) !== hasMinimum(latest.disk)) measuring.run();
  });
  const measureTimer = every(measureEveryMs, async () => measuring.run());

  return {
    latest: () => latest,
    sample: sampling.run,
    measure: measuring.run,
    [Symbol.dispose]() {
      for (const timer of [measureTimer, checkTimer]) timer[Symbol.dispose]();
    },
  };
}
