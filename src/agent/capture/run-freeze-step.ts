import type { Step } from './pod-state.ts';
import type { PodContext, StepOptions } from './step-context.ts';

export type FreezeStep = Extract<Step, { kind: 'noteFreeze' | 'beginFreeze' | 'setAside' }>;

type FreezeStepOptions = Pick<StepOptions, 'folders' | 'status' | 'onFolders'>;

/** Carries out a step of freezing. Rejects if the folder cannot be written; then the step is repeated. */
export async function runFreezeStep(
  step: FreezeStep,
  context: PodContext,
  options: FreezeStepOptions,
): Promise<void> {
  const { pod, recording } = context;
  const { freezes } = options.folders;
  switch (step.kind) {
    case 'noteFreeze':
      await freezes.note(pod.uid, step.log, step.causes);
      if (step.notFrozen) options.status.report(pod, { kind: 'notFrozen', ...step.notFrozen });
      return;
    case 'beginFreeze':
      recording()?.addPruned(await freezes.begin(pod.uid, step));
      return;
    case 'setAside':
      await setAside(context, options);
  }
}

async function setAside({ pod, recording }: PodContext, options: FreezeStepOptions): Promise<void> {
  const { folders, status, onFolders } = options;
  // Only a recording can count the packets of what is deleted.
  const open = recording();
  const frozen = await folders.freezes.setAside(pod.uid, { deletesSurplus: open !== undefined });
  if (!frozen) return;
  for (const packets of frozen.deleted) open?.addPruned(packets);
  status.report(pod, { kind: 'frozen', ring: frozen.record });
  await folders.measure(pod.uid);
  onFolders();
}
