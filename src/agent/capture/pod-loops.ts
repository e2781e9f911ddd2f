import type { Plan } from '../planner/decisions.ts';
import type { RunningRecording } from '../planner/node-state.ts';
import type { Totals } from '../storage/capture-records.ts';
import { openHandovers } from './handovers.ts';
import { type PodLoop, type PodLoopOptions, startPodLoop } from './pod-loop.ts';

/** Ensures that what runs on this Node matches the plan: one loop per Pod UID. */
export type PodLoops = AsyncDisposable & {
  /** Makes this the desired state; what fails is retried until the next plan. */
  readonly apply: (plan: Plan) => void;
  /** What is being recorded by UID, in the order in which it started. */
  readonly recording: () => ReadonlyMap<string, RunningRecording>;
  /** What each running capture of that UID has counted by now, by generation. Never rejects. */
  readonly freshTotals: (uid: string) => Promise<ReadonlyMap<number, Totals>>;
};

/** Starts with an empty plan. Disposing of it stops every capture; the files stay. */
export function startPodLoops(options: Omit<PodLoopOptions, 'handovers'>): PodLoops {
  const handovers = openHandovers();
  const loops = new Map<string, PodLoop>();

  function loopOf(uid: string): PodLoop {
    const existing = loops.get(uid);
    if (existing) return existing;
    const started = startPodLoop(uid, { ...options, handovers }, () => {
      // It can still look once more, when another one has taken its place.
      if (loops.get(uid) !== started) return;
      loops.delete(uid);
      options.status.forget(uid);
    });
    loops.set(uid, started);
    return started;
  }

  return {
    apply(plan) {
      const { decisions } = plan;
      handovers.planned(plan);
      for (const [uid, decision] of decisions) {
        const [bufferKib, freezeCapacity] = [plan.bufferKib.get(uid), plan.freezeCapacity.get(uid)];
        loopOf(uid).decide(decision, {
          ...(bufferKib && { bufferKib }),
          ...(freezeCapacity && { freezeCapacity }),
          ...(plan.isFromMemory && { isFromMemory: true }),
        });
      }
      for (const [uid, loop] of loops) if (!decisions.has(uid)) loop.decide(undefined);
    },
    recording() {
      const recordings = [...loops].flatMap(([uid, { recording }]) => {
        const now = recording();
        return now ? [[uid, now] as const] : [];
      });
      // A loop exists before its recording: while its Pod is refused, for example.
      return new Map(recordings.toSorted(([, a], [, b]) => a.openedMs - b.openedMs));
    },
    freshTotals: async (uid) => (await loops.get(uid)?.freshTotals()) ?? new Map(),
    async [Symbol.asyncDispose]() {
      await Promise.all([...loops.values()].map((loop) => loop[Symbol.asyncDispose]()));
    },
  };
}
