import { readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import * as v from 'valibot';
import type { Clock } from '../../base/clock.ts';
import { coalesced } from '../../base/coalesced.ts';
import { ifExists } from '../../base/fs-errors.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import { replaceFile } from './replace-file.ts';

/**
 * Which Pods are being captured and what they ask for, on disk: an agent that starts while the API server is away
 * continues with them. It is only a hint from the past: the first list of Pods replaces it.
 */
export type CapturedPods = AsyncDisposable & {
  /** The Pods that an earlier agent of this boot captured last; empty if that cannot be read. */
  readonly before: readonly Pod[];
  /** Writes down that these Pods are captured now. Never waits and never throws. */
  readonly note: (pods: readonly Pod[]) => void;
};

/** Hidden, so that `ls /captures` shows nothing while nothing is captured. */
export const capturedPodsFile = '.captured-pods.json';

/** Reads what an earlier agent left. Never throws: without it, the agent waits for the first list. */
export async function openCapturedPods(options: {
  readonly root: string;
  readonly clock: Clock;
  readonly log: Logger;
}): Promise<CapturedPods> {
  const { root, clock, log } = options;
  const path = join(root, capturedPodsFile);
  const before = await readPods(path, clock).catch((error: unknown): readonly Pod[] => {
    log.warn({ err: error }, 'failed to read the captured Pods of an earlier agent');
    return [];
  });
  let written = before;
  let current = before;
  // What could not be written is written with the next note, and every plan makes one.
  const writing = coalesced(
    async () => {
      const pods = current;
      await writePods(path, pods, clock);
      written = pods;
    },
    (error) => log.warn({ err: error }, 'failed to write the captured Pods'),
  );
  return {
    before,
    note(pods) {
      current = pods;
      if (!isDeepStrictEqual(pods.map(identity), written.map(identity))) writing.run();
    },
    [Symbol.asyncDispose]: writing.settled,
  };
}

/** Without the phase and the version, which change all the time. */
function identity({ uid, annotations }: Pod): unknown {
  return { uid, annotations };
}

async function readPods(path: string, { bootId }: Clock): Promise<readonly Pod[]> {
  const text = await ifExists(readFile(path, 'utf8'));
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), fileSchema), text);
  // Pod networks do not survive a reboot.
  return parsed.success && parsed.output.bootId === bootId ? parsed.output.pods : [];
}

async function writePods(path: string, pods: readonly Pod[], { bootId }: Clock): Promise<void> {
  if (pods.length === 0) {
    await ifExists(unlink(path));
    return;
  }
  await replaceFile(path, `${JSON.stringify({ bootId, pods })}\n`);
}

const containerSchema = v.object({
  name: v.string(),
  restarts: v.number(),
  isReady: v.boolean(),
  lastEnd: v.exactOptional(
    v.object({
      id: v.string(),
      exitCode: v.number(),
      reason: v.string(),
      finishedAt: v.exactOptional(v.string()),
    }),
  ),
  mayComplete: v.boolean(),
});

const podSchema = v.object({
  namespace: v.string(),
  name: v.string(),
  uid: v.string(),
  resourceVersion: v.string(),
  annotations: v.record(v.string(), v.string()),
  hostNetwork: v.boolean(),
  nodeName: v.string(),
  phase: v.string(),
  creationTimestamp: v.string(),
  deletionTimestamp: v.exactOptional(v.string()),
  gracePeriodSeconds: v.number(),
  containers: v.optional(v.array(containerSchema), []),
});

const fileSchema = v.object({ bootId: v.string(), pods: v.array(podSchema) });
