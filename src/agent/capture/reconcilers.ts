import type { Plan, RunningRecording } from '../planner/plan.ts';
import { type Reconciler, type ReconcilerOptions, startReconciler } from './reconciler.ts';

/** Ensures that what runs on this Node matches the plan: each Pod UID by its own reconciler. */
export type Reconcilers = AsyncDisposable & {
  /** Makes this the desired state; what fails is retried until the next plan. */
  readonly apply: (plan: Plan) => void;
  /** The running recordings by UID, in the order in which they started. */
  readonly recording: () => ReadonlyMap<string, RunningRecording>;
};

/** Starts with an empty plan; ends by disposing of all reconcilers. */
export function startReconcilers(options: ReconcilerOptions): Reconcilers {
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
        [...reconcilers].flatMap(([uid, { recording }]) => {
          const now = recording();
          return now ? [[uid, now] as const] : [];
        }),
      ),
    async [Symbol.asyncDispose]() {
      await Promise.all([...reconcilers.values()].map((reconciler) => reconciler[Symbol.asyncDispose]()));
    },
  };
}
