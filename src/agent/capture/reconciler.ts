import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { type BackoffOptions, backoff } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import { coalesced } from '../../base/coalesced.ts';
import { networkUidOf } from '../../kubernetes/pod.ts';
import type { PodNetworks } from '../netns/pod-networks.ts';
import type { CaptureStatuses, StopReason } from '../observability/capture-status.ts';
import type { Decision, RunningRecording } from '../planner/plan.ts';
import type { CaptureFolders } from '../storage/capture-folders.ts';
import type { CaptureSettings } from './capture.ts';
import { type Recorder, startRecorder } from './recorder.ts';

/** Ensures that what runs for one Pod UID matches the newest decision about it. */
export type Reconciler = AsyncDisposable & {
  readonly decide: (decision: Decision | Forget) => void;
  /** How long the Pod has been captured by now, and what is written; undefined while nothing is recorded. */
  readonly recording: () => RunningRecording | undefined;
};

/** There is no decision any more: what runs ends with its Pod. */
export type Forget = { readonly kind: 'forget' };

export type ReconcilerOptions = {
  readonly folders: CaptureFolders;
  readonly networks: PodNetworks;
  readonly settings: CaptureSettings;
  readonly status: CaptureStatuses;
  readonly clock: Clock;
  /** Asks the API server, not a cache, whether the captures of that Pod may be deleted for that reason. */
  readonly mayDelete: (decision: Decision & { kind: 'delete' }) => Promise<boolean>;
  /** A folder was made or deleted, or its contents were measured: the plan depends on folders too. */
  readonly onFolders: () => void;
  /**
   * What a former request wrote is measured: the plan needs all captures as they are now. Beside a newer sample of the
   * disk, what the others wrote since they were measured would count twice, and could end one of them.
   */
  readonly onResized: () => void;
  readonly log: Logger;
};

/**
 * After an error, or a deletion that the API server did not confirm, the next attempt waits 0.25 to 0.5 s, and after
 * further ones up to 15 to 30 s.
 */
const reconcileBackoff: BackoffOptions = { minMs: 500, maxMs: 30_000 };

/** Starts with no decision. `onIdle` is called when nothing runs and there is no decision: it can be dropped. */
export function startReconciler(uid: string, options: ReconcilerOptions, onIdle: () => void): Reconciler {
  const retryDelay = backoff(reconcileBackoff);
  let decision: Decision | Forget = { kind: 'forget' };
  let running: Recorder | undefined;
  let retry: NodeJS.Timeout | undefined;
  let disposed = false;

  const work = coalesced(
    async () => {
      clearTimeout(retry);
      if (disposed) return;
      if (running?.phase() === 'ended') running = undefined;
      let isDone = true;
      const notDone = () => {
        isDone = false;
      };
      running = await reconcile({ ...options, uid, running, notDone, wake: () => work.run() }, decision);
      if (isDone) retryDelay.reset();
      else if (!disposed) retry = setTimeout(work.run, retryDelay.next());
      if (!running && decision.kind === 'forget') onIdle();
    },
    (error) => {
      if (disposed) return;
      const retryMs = retryDelay.next();
      options.log.error({ ...podFields(uid, decision), err: error, retryMs }, 'failed to reconcile captures');
      retry = setTimeout(work.run, retryMs);
    },
  );

  return {
    decide(next) {
      if (isSameDecision(decision, next)) return;
      decision = next;
      work.run();
    },
    recording: () =>
      running && { capturedMs: running.capturedMs(), atMs: options.clock.nowMs(), ...running.ring() },
    async [Symbol.asyncDispose]() {
      disposed = true;
      clearTimeout(retry);
      await work.settled();
      await running?.stop('AgentStopped');
    },
  };
}

type ReconcileContext = ReconcilerOptions & {
  readonly uid: string;
  readonly running: Recorder | undefined;
  /** Reconciles again. */
  readonly wake: () => void;
  /** The decision is not carried out yet: it is tried again later, even if the plan does not change. */
  readonly notDone: () => void;
};

/** Carries out a decision, and returns what runs afterwards. */
async function reconcile(
  context: ReconcileContext,
  decision: Decision | Forget,
): Promise<Recorder | undefined> {
  switch (decision.kind) {
    case 'record':
      return await ensureRecording(context, decision);
    case 'wait':
      return context.running;
    case 'keep':
      return await ensureKept(context, decision);
    case 'forget':
      return ensureForgotten(context);
    case 'refuse':
      return await ensureRefused(context, decision);
    case 'delete':
      return await ensureDeleted(context, decision);
  }
}

/** Ensures that a recorder runs with this spec. One that is ending is awaited first, then a new one starts. */
async function ensureRecording(
  context: ReconcileContext,
  decision: Decision & { kind: 'record' },
): Promise<Recorder> {
  const { running } = context;
  if (running?.phase() === 'recording') {
    running.change(decision.spec);
    return running;
  }
  await running?.ended;
  return start(context, decision);
}

/** Ensures that nothing runs for longer than the reason allows, and that the end of the Pod is recorded. Files stay. */
async function ensureKept(
  context: ReconcileContext,
  { why }: Decision & { kind: 'keep' },
): Promise<Recorder | undefined> {
  const { running, folders, uid } = context;
  if (why === 'DurationReached') return await end(context, why);
  if (running) running.endWithPod();
  else if (await folders.markEnded(uid)) context.onFolders();
  return running;
}

/** Ensures that what runs ends with its Pod, and that the status forgets the Pod after that. */
function ensureForgotten({ running, status, uid }: ReconcileContext): Recorder | undefined {
  running?.endWithPod();
  if (!running) status.forget(uid);
  return running;
}

/** Ensures that nothing runs and that the refusal is reported. Files stay. */
async function ensureRefused(
  context: ReconcileContext,
  { pod, refusal }: Decision & { kind: 'refuse' },
): Promise<undefined> {
  await end(context, 'Refused');
  context.status.report(pod, { kind: 'refused', refusal });
}

/**
 * Ensures that nothing runs and that the folder is deleted, once the API server confirms it; changes nothing until then.
 * What the API server does not confirm is asked again: while it was read, the Pod may have changed back and forth, and
 * the plan need not change then.
 */
async function ensureDeleted(
  context: ReconcileContext,
  decision: Decision & { kind: 'delete' },
): Promise<Recorder | undefined> {
  const { running, folders, status, uid } = context;
  // Already deleted, and the next plan is not made yet.
  if (!running && !folders.states().has(uid)) return undefined;
  if (!(await context.mayDelete(decision))) {
    context.notDone();
    return running;
  }
  // Whatever the reason for deleting: Events have no other one for a recording whose files are deleted.
  await running?.stop('AnnotationRemoved');
  await folders.remove(uid);
  status.report(decision.pod, { kind: 'deleted', why: decision.why });
  context.onFolders();
  return undefined;
}

/** Stops what runs, and measures the folder before the next plan uses it. */
async function end(
  { running, folders, onFolders, uid }: ReconcileContext,
  why: StopReason,
): Promise<undefined> {
  if (!running) return;
  await running.stop(why);
  await folders.measure(uid);
  onFolders();
}

/** Reports a folder that cannot be opened, and throws. */
async function start(context: ReconcileContext, decision: Decision & { kind: 'record' }): Promise<Recorder> {
  const { folders, networks, settings, status, wake, onFolders } = context;
  const { pod, spec } = decision;
  const folder = await folders.open(pod).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    status.report(pod, { kind: 'failed', message });
    throw error;
  });
  onFolders();
  const recorder = startRecorder({
    pod,
    networkUid: networkUidOf(pod),
    spec,
    folder,
    networks,
    settings,
    async measure() {
      await folders.measure(pod.uid);
      context.onResized();
    },
    onReport: (report) => status.report(pod, report),
    onCount: (counted) => status.count(pod, counted),
    log: context.log.child({ namespace: pod.namespace, pod: pod.name, uid: pod.uid }),
  });
  void recorder.ended.then(wake);
  return recorder;
}

/** A Pod object changes all the time: of the Pod itself, only the UID counts. */
function isSameDecision(a: Decision | Forget, b: Decision | Forget): boolean {
  return isDeepStrictEqual(withUidOnly(a), withUidOnly(b));
}

function withUidOnly(decision: Decision | Forget): unknown {
  return 'pod' in decision ? { ...decision, pod: decision.pod.uid } : decision;
}

type PodFields = { readonly uid: string; readonly namespace?: string; readonly pod?: string };

function podFields(uid: string, decision: Decision | Forget): PodFields {
  return 'pod' in decision ? { namespace: decision.pod.namespace, pod: decision.pod.name, uid } : { uid };
}
