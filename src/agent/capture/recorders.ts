import type { CapturedTime, Plan } from '../planner/plan.ts';
import { type Reconciler, type ReconcilerOptions, startReconciler } from './reconciler.ts';

/** Makes what runs on this Node equal to the plan: one Pod UID at a time, many UIDs at once. */
export type Recorders = AsyncDisposable & {
  /** From now on this is what should be; what fails is tried again until another plan comes. */
  readonly apply: (plan: Plan) => void;
  /** What is being recorded, in the order in which it was begun. */
  readonly recording: () => ReadonlyMap<string, CapturedTime>;
};

export function startRecorders(options: ReconcilerOptions): Recorders {
  const reconcilers = new Map<string, Reconciler>();

  function reconcilerOf(uid: string): Reconciler {
    const existing = reconcilers.get(uid);
    if (existing) return existing;
    const started = startReconciler(uid, options, () => reconcilers.delete(uid));
    reconcilers.set(uid, started);
    return started;
  }

  return {
    apply({ decisions }) {
      for (const [uid, decision] of decisions) reconcilerOf(uid).decide(decision);
      for (const [uid, reconciler] of reconcilers) {
        if (!decisions.has(uid)) reconciler.decide({ kind: 'forget' });
      }
    },
    recording: () =>
      new Map(
        [...reconcilers].flatMap(([uid, { capturedMs }]) => {
          const used = capturedMs();
          return used === undefined
            ? []
            : [[uid, { capturedMs: used, atMs: options.clock.nowMs() }] as const];
        }),
      ),
    async [Symbol.asyncDispose]() {
      await Promise.all([...reconcilers.values()].map((reconciler) => reconciler[Symbol.asyncDispose]()));
    },
  };
}
