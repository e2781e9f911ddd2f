import { filterSourceOf } from '../planner/annotations.ts';
import { invalidFilter } from '../planner/refusals.ts';
import { openRecording, type PodRecording } from './pod-recording.ts';
import type { Step, StepResult } from './pod-state.ts';
import { runFreezeStep } from './run-freeze-step.ts';
import type { PodContext, StepOptions } from './step-context.ts';
import { writeErrorMessage } from './write-error-message.ts';

/** Every step but those that the loop carries out itself, because they take no time. */
export type LastingStep = Exclude<Step, { kind: 'account' | 'cancel' }>;

/** Carries out one step. Rejects with an error that nobody expected, or with the signal's reason. */
export async function runStep(
  step: LastingStep,
  context: PodContext,
  options: StepOptions,
  signal: AbortSignal,
): Promise<StepResult> {
  const { pod } = context;
  const recording = context.recording();
  switch (step.kind) {
    case 'open':
      return await open(context, options);
    case 'checkFilter':
      return await checkFilter(step.filter, context, options, signal);
    case 'start':
      return await start(step, recording);
    case 'keep':
      await recording?.keep(step.generation, step.files);
      return done;
    case 'stop':
      await recording?.stop(step.generation);
      return done;
    case 'giveUp':
      await recording?.giveUp(step.generation, 'tcpdump does not start to capture');
      return done;
    case 'noteFreeze':
    case 'beginFreeze':
    case 'setAside':
      await runFreezeStep(step, context, options);
      return done;
    case 'measure':
      await recording?.measure();
      options.onFolders();
      return done;
    case 'close':
      await close(step, context, options);
      return done;
    case 'markEnded':
      if (await options.folders.markEnded(pod.uid)) options.onFolders();
      return done;
    case 'unmarkEnded':
      await options.folders.unmarkEnded(pod.uid);
      options.onFolders();
      return done;
    case 'askWhetherToErase':
      return (await options.mayDelete({ pod, why: step.why }))
        ? done
        : { kind: 'failed', message: 'the API server does not confirm that the captures may be deleted' };
    case 'erase':
      if (step.keepsFrozen) {
        if (!(await options.folders.removeRing(pod.uid))) return stillCaptured;
      } else await options.folders.remove(pod.uid);
      context.report({ kind: 'deleted', why: step.why });
      options.onFolders();
      return done;
  }
}

const done: StepResult = { kind: 'done' };
const stillCaptured: StepResult = { kind: 'failed', message: 'another agent still captures the Pod' };

async function open(context: PodContext, options: StepOptions): Promise<StepResult> {
  const { pod } = context;
  const { folders, settings, status, log } = options;
  try {
    const folder = await folders.open(pod);
    const rings = context.rings();
    if (rings.length === 0) return done;
    context.opened(
      openRecording({
        rings,
        folder,
        settings,
        measure: () => folders.measure(pod.uid),
        onListening(capture) {
          // One that only has another receive ring goes on.
          if (capture.reported.generation === capture.generation) status.started();
          context.listening(capture);
        },
        onReceiveRingFull: options.requestPlan,
        onWarning: (generation, message) => status.report(pod, { kind: 'warning', generation, message }),
        onChange: context.onChange,
        onCount: (counted) => status.count(pod, counted),
        log: log.child({ namespace: pod.namespace, pod: pod.name, uid: pod.uid }),
      }),
    );
    return done;
  } catch (error) {
    return { kind: 'failed', message: error instanceof Error ? error.message : String(error) };
  } finally {
    options.onFolders();
  }
}

async function checkFilter(
  filter: string,
  { request }: PodContext,
  options: StepOptions,
  signal: AbortSignal,
): Promise<StepResult> {
  const check = await options.checkFilter(filter, signal);
  switch (check.kind) {
    case 'accepted':
      return done;
    case 'failed':
      return { kind: 'failed', message: `the filter could not be checked: ${check.problem}` };
    case 'rejected': {
      const refusal = invalidFilter(filterSourceOf(request()), filter, check.problem);
      return { kind: 'refused', refusal, retryMs: Number.POSITIVE_INFINITY };
    }
  }
}

async function start(
  { spec, network }: Step & { readonly kind: 'start' },
  recording: PodRecording | undefined,
): Promise<StepResult> {
  if (!recording) return done;
  try {
    await recording.start(spec, network);
    return done;
  } catch (error) {
    return { kind: 'failed', message: await writeErrorMessage(error, recording.path) };
  }
}

/** Reports what was captured. Nothing is reported of a recording that was refused before it captured anything. */
async function close(
  { why }: Step & { readonly kind: 'close' },
  { pod, recording, closed, report }: PodContext,
  { onFolders, folders, log }: StepOptions,
): Promise<void> {
  const closing = recording();
  if (!closing) return;
  await closing[Symbol.asyncDispose]();
  // Nobody plans any more when the agent stops.
  if (why !== 'AgentStopped') {
    await folders.measure(pod.uid).catch((error: unknown) => {
      log.warn(
        { namespace: pod.namespace, pod: pod.name, err: error },
        'failed to measure the files of a capture',
      );
    });
  }
  const totals = await closing.folderTotals();
  closed();
  if (why !== 'Refused' || closing.hasCaptured()) report({ kind: 'stopped', why, totals });
  onFolders();
}
