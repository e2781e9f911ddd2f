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
 * Which Pods are being captured and what they ask for, on disk: an agent that starts while the API server is away goes
 * on with them. No more than a hint of the past: the first list of Pods takes its place.
 */
export type CapturedPods = AsyncDisposable & {
  /** What an earlier agent left, of this boot; empty if it cannot be read. */
  readonly before: readonly Pod[];
  /** These are captured now. Never waits and never throws. */
  readonly note: (pods: readonly Pod[]) => void;
};

/** Hidden: a folder without captures is to look empty. */
export const capturedPodsFile = '.captured-pods.json';

export async function openCapturedPods(options: {
  readonly root: string;
  readonly clock: Clock;
  readonly log: Logger;
}): Promise<CapturedPods> {
  const { root, clock, log } = options;
  const path = join(root, capturedPodsFile);
  const before = await readPods(path, clock).catch((error: unknown): readonly Pod[] => {
    log.warn({ err: error }, 'captured Pods of before not read');
    return [];
  });
  let written = before;
  let now = before;
  // What could not be written is tried again when it is noted next, which each plan does.
  const writing = coalesced(
    async () => {
      const pods = now;
      await writePods(path, pods, clock);
      written = pods;
    },
    (error) => log.warn({ err: error }, 'captured Pods not noted'),
  );
  return {
    before,
    note(pods) {
      now = pods;
      if (!isDeepStrictEqual(pods.map(essence), written.map(essence))) writing.run();
    },
    [Symbol.asyncDispose]: writing.settled,
  };
}

/** A Pod's phase and version change all the time. */
function essence({ uid, annotations }: Pod): unknown {
  return { uid, annotations };
}

async function readPods(path: string, { bootId }: Clock): Promise<readonly Pod[]> {
  const text = await ifExists(readFile(path, 'utf8'));
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), fileSchema), text);
  // Networks do not outlive the machine.
  return parsed.success && parsed.output.bootId === bootId ? parsed.output.pods : [];
}

async function writePods(path: string, pods: readonly Pod[], { bootId }: Clock): Promise<void> {
  if (pods.length === 0) {
    await ifExists(unlink(path));
    return;
  }
  await replaceFile(path, `${JSON.stringify({ bootId, pods })}\n`);
}

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
});

const fileSchema = v.object({ bootId: v.string(), pods: v.array(podSchema) });
