import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { backoff } from '../backoff.ts';
import type { Pod } from '../kubernetes/pod.ts';
import { coalesced } from './coalesced.ts';
import type { Folders } from './folders.ts';
import type { Networks } from './networks.ts';
import type { Decision } from './plan.ts';
import { type CaptureSettings, type Recorder, startRecorder } from './recorder.ts';
import type { Status } from './status.ts';

/** Makes what runs for one Pod UID equal to the newest decision about it. */
export type Reconciler = AsyncDisposable & {
  readonly decide: (decision: Decision | Forget) => void;
};

/** There is no decision any more: whatever runs ends with its Pod. */
export type Forget = { readonly kind: 'forget' };

export type ReconcilerOptions = {
  readonly folders: Folders;
  readonly networks: Networks;
  readonly settings: CaptureSettings;
  readonly status: Status;
  /** Asks the API server, not a cache: is that UID there, and asks for no capture? */
  readonly isUnwanted: (pod: Pod) => Promise<boolean>;
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
    async [Symbol.asyncDispose]() {
      disposed = true;
      clearTimeout(retry);
      await work.settled();
      await running?.stop('AgentStopped');
    },
  };
}

type Situation = ReconcilerOptions & {
  readonly uid: string;
  readonly running: Recorder | undefined;
  /** Reconciles again. */
  readonly wake: () => void;
};

/** Gives back what runs afterwards. */
async function reconcile(situation: Situation, decision: Decision | Forget): Promise<Recorder | undefined> {
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
    case 'forget':
      running?.endWithPod();
      if (!running && decision.kind === 'forget') status.forget(uid);
      return running;
    case 'refuse':
      await running?.stop('Refused');
      status.report(decision.pod, { kind: 'refused', ...decision.refusal });
      return undefined;
    case 'delete':
      if (decision.evidence === 'listed' && !(await situation.isUnwanted(decision.pod))) return running;
      await running?.stop('AnnotationRemoved');
      await situation.folders.remove(uid);
      status.report(decision.pod, { kind: 'deleted' });
      situation.onFolders();
      return undefined;
  }
}

async function start(situation: Situation, decision: Decision & { kind: 'record' }): Promise<Recorder> {
  const { folders, networks, settings, status, wake, onFolders } = situation;
  const { pod, spec } = decision;
  const folder = await folders.open(pod);
  onFolders();
  const recorder = startRecorder({
    pod,
    networkUid: networkUidOf(pod),
    spec,
    folder,
    networks,
    settings,
    onReport: (report) => status.report(pod, report),
    log: situation.log.child({ namespace: pod.namespace, pod: pod.name, uid: pod.uid }),
  });
  void recorder.ended.then(wake);
  return recorder;
}

/** The kubelet gives a static Pod's hash to the CNI plugin as its UID; the API server knows it under another. */
function networkUidOf(pod: Pod): string {
  return pod.annotations['kubernetes.io/config.hash'] ?? pod.uid;
}

/** A Pod changes all the time; what matters is what is wanted of it. */
function isSameDecision(a: Decision | Forget, b: Decision | Forget): boolean {
  return isDeepStrictEqual(essence(a), essence(b));
}

function essence(decision: Decision | Forget): unknown {
  return 'pod' in decision ? { ...decision, pod: decision.pod.uid } : decision;
}
