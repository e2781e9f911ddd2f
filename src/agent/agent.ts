import type { Logger } from 'pino';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { eventRecorder } from '../kubernetes/events.ts';
import { watchCollection } from '../kubernetes/list-watch.ts';
import { type Pod, parsePod, readPod } from '../kubernetes/pod.ts';
import { announceByEvent, announceByLog } from './announcements.ts';
import { openFolders } from './folders.ts';
import { serveHealth } from './health.ts';
import { watchNetworks } from './networks.ts';
import { type Plan, plan } from './plan.ts';
import { type Pods, podsAfter } from './pods.ts';
import { startRecorders } from './recorders.ts';
import { requestOf } from './request.ts';
import type { Settings } from './settings.ts';
import { podStatuses, type Status } from './status.ts';

export type AgentOptions = {
  readonly settings: Settings;
  readonly client: KubernetesClient;
  readonly log: Logger;
  /** Ends the agent, and everything that it started. */
  readonly signal: AbortSignal;
};

/** -C of tcpdump: 1,000,000 bytes a file. Small files lose fewer packets than large ones (measured). */
const fileMegabytes = 1;

/** Captures the annotated Pods of one Node until the signal: a Pod's change goes through here once, from top to bottom. */
export async function runAgent({ settings, client, log, signal }: AgentOptions): Promise<void> {
  const { nodeName, captureUser, maxFiles } = settings;
  await using events = eventRecorder({ client, nodeName, log });
  const status = podStatuses([
    announceByLog(log),
    announceByEvent(events.record, { nodeName, fileMegabytes }),
  ]);
  const folders = await openFolders({ root: settings.capturesFolder, groupId: captureUser, log });
  await using networks = await watchNetworks({
    resultsFolder: settings.cniResultsFolder,
    netnsFolder: settings.netnsFolder,
    rescanMs: settings.rescanSeconds * 1_000,
    log,
  });
  await using recorders = startRecorders({
    folders,
    networks,
    status,
    settings: captureSettings(settings),
    isUnwanted: (pod) => isUnwanted(pod),
    onFolders: () => replan(),
    log,
  });

  let pods: Pods | undefined;
  let planned: Plan | undefined;
  const limits = { maxFiles };

  function replan(): void {
    if (!pods) return;
    planned = plan({ pods, folders: folders.uids(), limits });
    recorders.apply(planned);
  }

  async function isUnwanted({ namespace, name, uid }: Pod): Promise<boolean> {
    const now = await readPod(client, { namespace, name, signal });
    return now?.uid === uid && requestOf(now, limits).kind === 'none';
  }

  await using _health = await serveHealth({ port: settings.port, notReady: () => notReady(planned, status) });
  log.info({ nodeName, ...limits }, 'agent started');
  for await (const change of watchCollection({
    client,
    path: '/api/v1/pods',
    fieldSelector: `spec.nodeName=${nodeName}`,
    parse: parsePod,
    log,
    signal,
  })) {
    pods = podsAfter(pods ?? new Map(), change);
    replan();
  }
  log.info({}, 'agent stopping');
}

function captureSettings({ bufferKib, captureUser, drainLibrary, agentName, maxFiles }: Settings) {
  return {
    bufferKib,
    fileMegabytes,
    // Twice the most files: N can change to anything without a restart of tcpdump.
    wrapAfter: 2 * maxFiles,
    userId: captureUser,
    drainLibrary,
    agent: agentName,
  };
}

/** Ready when every capture that is wanted runs, waits for its Pod's network, or has failed once. */
function notReady(planned: Plan | undefined, status: Status): string[] {
  if (!planned) return ['the Pods of this Node are not listed yet'];
  return [...planned].flatMap(([uid, decision]) =>
    decision.kind === 'record' && !status.of(uid)
      ? [`the capture of ${decision.pod.namespace}/${decision.pod.name} has not started yet`]
      : [],
  );
}
