import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { backoff } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import { coalesced } from '../../base/coalesced.ts';
import { networkUidOf } from '../../kubernetes/pod.ts';
import type { PodNetworks } from '../netns/pod-networks.ts';
import type { CaptureStatuses, StopReason } from '../observability/capture-status.ts';
import type { Decision } from '../planner/plan.ts';
import type { CaptureFolders } from '../storage/capture-folders.ts';
import type { CaptureSettings } from './capture.ts';
import { type Recorder, startRecorder } from './recorder.ts';

/** Makes what runs for one Pod UID equal to the newest decision about it. */
export type Reconciler = AsyncDisposable & {
  readonly decide: (decision: Decision | Forget) => void;
  /** How long was captured by now; undefined when nothing is recorded. */
  readonly capturedMs: () => number | undefined;
};

/** There is no decision any more: whatever runs ends with its Pod. */
export type Forget = { readonly kind: 'forget' };

export type ReconcilerOptions = {
  readonly folders: CaptureFolders;
  readonly networks: PodNetworks;
  readonly settings: CaptureSettings;
  readonly status: CaptureStatuses;
  readonly clock: Clock;
  /** Asks the API server, not a cache, whether the captures of that Pod may go for that reason. */
  readonly mayDelete: (decision: Decision & { kind: 'delete' }) => Promise<boolean>;
  /** A folder came or went: the plan is made of them too. */
  readonly onFolders: () => void;
  readonly log: Logger;
};

/** `onIdle` is called when nothing runs and nothing is decided: the reconciler can be dropped. */
export function startReconciler(uid: string, options: ReconcilerOptions, onIdle: () => void): Reconciler {
  const waits = backoff();
  let decision: Decision | Forget = { kind: 'forget' };
  let running: Recorder | undefined;
  let retry: NodeJS.Timeout | undefined;
  let disposed = false;

  const work = coalesced(
    async () => {
      clearTimeout(retry);
      if (disposed) return;
      if (running?.phase() === 'ended') running = undefined;
      running = await reconcile({ ...options, uid, running, wake: () => work.run() }, decision);
      waits.reset();
      if (!running && decision.kind === 'forget') onIdle();
    },
    (error) => {
      if (disposed) return;
      const inMs = waits.next();
      options.log.error({ uid, err: error, inMs }, 'will try again');
      retry = setTimeout(work.run, inMs);
    },
  );

  return {
    decide(next) {
      if (isSameDecision(decision, next)) return;
      decision = next;
      work.run();
    },
    capturedMs: () => running?.capturedMs(),
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
};

/** Gives back what runs afterwards. */
async function reconcile(
  situation: ReconcileContext,
  decision: Decision | Forget,
): Promise<Recorder | undefined> {
  const { running, status, uid } = situation;
  switch (decision.kind) {
    case 'record':
      if (running?.phase() === 'recording') {
        running.change(decision.spec);
        return running;
      }
      await running?.ended;
      return start(situation, decision);
    case 'keep':
      if (decision.why === 'DurationReached') return await end(situation, 'DurationReached');
      if (running) running.endWithPod();
      else if (await situation.folders.markEnded(uid)) situation.onFolders();
      return running;
    case 'forget':
      running?.endWithPod();
      if (!running) status.forget(uid);
      return running;
    case 'refuse':
      await end(situation, 'Refused');
      status.report(decision.pod, { kind: 'refused', refusal: decision.refusal });
      return undefined;
    case 'delete':
      // Done already, and the next plan is not there yet.
      if (!running && !situation.folders.states().has(uid)) return undefined;
      if (!(await situation.mayDelete(decision))) return running;
      await running?.stop('AnnotationRemoved');
      await situation.folders.remove(uid);
      status.report(decision.pod, { kind: 'deleted', why: decision.why });
      situation.onFolders();
      return undefined;
  }
}

/** What was captured is known before the next plan asks for it. */
async function end(
  { running, folders, onFolders, uid }: ReconcileContext,
  why: StopReason,
): Promise<undefined> {
  if (!running) return;
  await running.stop(why);
  await folders.look(uid);
  onFolders();
}

async function start(
  situation: ReconcileContext,
  decision: Decision & { kind: 'record' },
): Promise<Recorder> {
  const { folders, networks, settings, status, wake, onFolders } = situation;
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
    onReport: (report) => status.report(pod, report),
    onCount: (counted) => status.count(pod, counted),
    log: situation.log.child({ namespace: pod.namespace, pod: pod.name, uid: pod.uid }),
  });
  void recorder.ended.then(wake);
  return recorder;
}

/** A Pod changes all the time; what matters is what is wanted of it. */
function isSameDecision(a: Decision | Forget, b: Decision | Forget): boolean {
  return isDeepStrictEqual(essence(a), essence(b));
}

function essence(decision: Decision | Forget): unknown {
  return 'pod' in decision ? { ...decision, pod: decision.pod.uid } : decision;
}
