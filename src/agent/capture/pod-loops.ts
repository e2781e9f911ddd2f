import type { Plan, RunningRecording } from '../planner/plan.ts';
import { openHandovers } from './handovers.ts';
import { type PodLoop, type PodLoopOptions, startPodLoop } from './pod-loop.ts';

/** Ensures that what runs on this Node matches the plan: one loop per Pod UID. */
export type PodLoops = AsyncDisposable & {
  /** Makes this the desired state; what fails is retried until the next plan. */
  readonly apply: (plan: Plan) => void;
  /** What is being recorded by UID, in the order in which it started. */
  readonly recording: () => ReadonlyMap<string, RunningRecording>;
};

/** Starts with an empty plan. Disposing of it stops every capture; the files stay. */
export function startPodLoops(options: Omit<PodLoopOptions, 'handovers'>): PodLoops {
  const handovers = openHandovers();
  const loops = new Map<string, PodLoop>();

  function loopOf(uid: string): PodLoop {
    const existing = loops.get(uid);
    if (existing) return existing;
    const started = startPodLoop(uid, { ...options, handovers }, () => {
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
      for (const [uid, decision] of decisions) loopOf(uid).decide(decision, plan.bufferKib.get(uid));
      for (const [uid, loop] of loops) if (!decisions.has(uid)) loop.decide(undefined);
    },
    recording: () =>
      new Map(
        [...loops].flatMap(([uid, { recording }]) => {
          const now = recording();
          return now ? [[uid, now] as const] : [];
        }),
      ),
    async [Symbol.asyncDispose]() {
      await Promise.all([...loops.values()].map((loop) => loop[Symbol.asyncDispose]()));
    },
  };
}
