import { readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import * as v from 'valibot';
import type { Clock } from '../../base/clock.ts';
import { coalesced } from '../../base/coalesced.ts';
import { ifExists } from '../../base/fs-errors.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import { stringMap } from '../../kubernetes/string-map.ts';
import { replaceFile } from './replace-file.ts';

/**
 * Which Pods are being captured and what they ask for, on disk: an agent that starts while the API server is away
 * continues with them. It is only a hint from the past: the first lists of Pods and of policies replace it.
 */
export type CapturedPods = AsyncDisposable & {
  /** What an earlier agent of this boot captured last; empty if that cannot be read. */
  readonly before: Captured;
  /** Writes down what is captured now. Never waits and never throws. */
  readonly note: (captured: Captured) => void;
};

export type Captured = {
  readonly pods: readonly Pod[];
  /** The policy that asks for each of them, as the API server has it. One that did not change is the same object. */
  readonly policies: readonly object[];
};

const nothing: Captured = { pods: [], policies: [] };

/** Hidden, so that `ls /captures` shows nothing while nothing is captured. */
export const capturedPodsFile = '.captured-pods.json';

/** Enough for 250 Pods with as many annotations and labels as are kept of them, and a policy each. */
const mostCharacters = 128 * 1024 * 1024;

/** Reads what an earlier agent left. Never throws: without it, the agent waits for the first list. */
export async function openCapturedPods(options: {
  readonly root: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly maxCharacters?: number;
}): Promise<CapturedPods> {
  const { root, clock, log, maxCharacters = mostCharacters } = options;
  const path = join(root, capturedPodsFile);
  const before = await readCaptured(path, clock).catch((error: unknown) => {
    log.warn({ err: error }, 'failed to read the captured Pods of an earlier agent');
    return nothing;
  });
  let written = before;
  let current = before;
  let isCut = false;
  // What could not be written is written with the next note, and every plan makes one.
  const writing = coalesced(
    async () => {
      const captured = current;
      const fitting = fittingIn(captured, maxCharacters);
      const leftOut = {
        pods: captured.pods.length - fitting.pods.length,
        policies: captured.policies.length - fitting.policies.length,
      };
      const isCutNow = leftOut.pods + leftOut.policies > 0;
      if (isCutNow && !isCut)
        log.warn(
          { leftOut },
          'too much to write down: an agent that starts while the API server is away does not continue all captures',
        );
      isCut = isCutNow;
      await writeCaptured(path, fitting, clock);
      written = captured;
    },
    (error) => log.warn({ err: error }, 'failed to write the captured Pods'),
  );
  return {
    before,
    note(captured) {
      current = captured;
      if (!isAlike(captured, written)) writing.run();
    },
    [Symbol.asyncDispose]: writing.settled,
  };
}

/** Whether the same is asked for the same Pods. Every plan compares, so what is the same object is not looked into. */
function isAlike(a: Captured, b: Captured): boolean {
  return (
    a.policies.length === b.policies.length &&
    a.policies.every((policy, i) => policy === b.policies[i]) &&
    a.pods.length === b.pods.length &&
    a.pods.every((pod, i) => isAlikePod(pod, b.pods[i]))
  );
}

/** Without the phase and the version, which change all the time. */
function isAlikePod(a: Pod, b: Pod | undefined): boolean {
  if (a === b) return true;
  return (
    a.uid === b?.uid &&
    isDeepStrictEqual(a.annotations, b.annotations) &&
    isDeepStrictEqual(a.labels, b.labels)
  );
}

/** What of it fits into so many characters: the policies, and then as many Pods as fit. */
function fittingIn({ pods, policies }: Captured, maxCharacters: number): Captured {
  let left = maxCharacters;
  const fits = (object: object) => {
    const size = JSON.stringify(object).length + 1;
    if (size > left) return false;
    left -= size;
    return true;
  };
  return { policies: policies.filter(fits), pods: pods.filter(fits) };
}

async function readCaptured(path: string, { bootId }: Clock): Promise<Captured> {
  const text = await ifExists(readFile(path, 'utf8'));
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), fileSchema), text);
  // Pod networks do not survive a reboot.
  if (!parsed.success || parsed.output.bootId !== bootId) return nothing;
  const { pods, policies } = parsed.output;
  return { pods, policies };
}

async function writeCaptured(path: string, { pods, policies }: Captured, { bootId }: Clock): Promise<void> {
  if (pods.length === 0) {
    await ifExists(unlink(path));
    return;
  }
  await replaceFile(path, `${JSON.stringify({ bootId, pods, policies })}\n`);
}

const containerSchema = v.object({
  name: v.string(),
  kind: v.picklist(['main', 'init', 'sidecar']),
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
  hasCompleted: v.boolean(),
});

const podSchema = v.pipe(
  v.object({
    namespace: v.string(),
    name: v.string(),
    uid: v.string(),
    resourceVersion: v.string(),
    annotations: v.record(v.string(), v.string()),
    labels: v.optional(stringMap),
    hostNetwork: v.boolean(),
    nodeName: v.string(),
    phase: v.string(),
    creationTimestamp: v.string(),
    deletionTimestamp: v.exactOptional(v.string()),
    gracePeriodSeconds: v.number(),
    containers: v.optional(v.array(containerSchema), []),
  }),
  v.transform((pod): Pod => ({ ...pod, labels: pod.labels })),
);

const fileSchema = v.object({
  bootId: v.string(),
  pods: v.array(podSchema),
  policies: v.optional(v.array(v.looseObject({})), []),
});
