import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { Decision, Plan } from '../planner/decisions.ts';
import type { FolderState } from '../storage/capture-folders.ts';
import { discardRoute } from './discard.ts';
import { answerOf, linkScene } from './testing/link-scene.ts';

const uid = 'uid-1';
const pod = { namespace: 'default', name: 'web', uid };
const ended: FolderState = {
  pod,
  files: 1,
  bytes: 1_000,
  frozenBytes: 0,
  largestBytes: 1_000,
  capturedMs: 1,
  endedMs: 5,
  freezes: { log: undefined, rings: [] },
};

type Scene = {
  readonly decision?: Decision | undefined;
  readonly folder?: FolderState | undefined;
  readonly isListed?: boolean;
  /** Whether the plan deletes what is discarded. */
  readonly deletes?: boolean;
};

const podEnded: Decision = { kind: 'keep', why: 'PodEnded' };

async function discardScene(options: Scene = {}) {
  const { decision = podEnded, folder = ended, isListed = true, deletes = true } = options;
  const folders = new Map('folder' in options && !options.folder ? [] : [[uid, folder]]);
  const discarded = new Set<string>();
  const plan: Pick<Plan, 'decisions'> = { decisions: new Map([[uid, decision]]) };
  const link = await linkScene(
    discardRoute({
      folders: { states: () => folders },
      plan: () => (isListed ? plan : undefined),
      discarded,
      requestPlan() {
        if (deletes) for (const each of discarded) folders.delete(each);
      },
      withinMs: 100,
      log: pino({ level: 'silent' }),
    }),
  );
  return {
    discarded,
    async discard(query = `uid=${uid}`) {
      const { status, body } = await answerOf(link.request(`/?${query}`, { ':method': 'DELETE' }));
      const { reason }: { readonly reason?: string } = JSON.parse(body.toString());
      return { status, reason };
    },
    [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
  };
}

test.each([
  ['the Pod has ended', podEnded],
  ['no policy asks for it any more', { kind: 'keep', why: 'NotMatched' }],
  ['it is being deleted anyway', { kind: 'delete', pod, why: 'RetentionOver' }],
] satisfies [string, Decision][])('a recording is deleted when %s', async (_what, decision) => {
  await using scene = await discardScene({ decision });
  expect(await scene.discard()).toEqual({ status: 200, reason: undefined });
  expect(scene.discarded.size).toBe(0);
});

test.each([
  ['a duration that was reached', { decision: { kind: 'keep', why: 'DurationReached' } }],
  ['a capture that is paused', { decision: { kind: 'keep', why: 'Paused' } }],
  ['a Pod whose end is not known', { folder: { ...ended, endedMs: undefined } }],
] satisfies [string, Scene][])('a recording is not deleted after %s', async (_what, options) => {
  await using scene = await discardScene(options);
  expect(await scene.discard()).toEqual({ status: 409, reason: 'StillRequested' });
});

test('what is not there, not named, or not known yet is not deleted', async () => {
  await using absent = await discardScene({ folder: undefined });
  expect(await absent.discard()).toEqual({ status: 404, reason: 'NotFound' });
  expect(await absent.discard('')).toEqual({ status: 400, reason: 'InvalidParameter' });
  await using early = await discardScene({ isListed: false });
  expect(await early.discard()).toEqual({ status: 503, reason: 'PodsNotListed' });
});

test('when the deletion takes too long, the request for it ends', async () => {
  await using scene = await discardScene({ deletes: false });
  expect(await scene.discard()).toEqual({ status: 503, reason: 'DeletionPending' });
  expect(scene.discarded.size).toBe(0);
});
