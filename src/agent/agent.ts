import type { FileHandle } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { Clock } from '../base/clock.ts';
import { coalesced } from '../base/coalesced.ts';
import { every, throttle, wakeAt } from '../base/timers.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { eventRecorder } from '../kubernetes/event-recorder.ts';
import { watchCollection } from '../kubernetes/list-watch.ts';
import { type Pod, parsePod, readPod } from '../kubernetes/pod.ts';
import type { CaptureSettings } from './capture/capture.ts';
import { startRecorders } from './capture/recorders.ts';
import { openWriteBufferSlots } from './capture/write-buffer-slots.ts';
import { watchPodNetworks } from './netns/pod-networks.ts';
import { captureStatuses } from './observability/capture-status.ts';
import { reportByEvent } from './observability/event-messages.ts';
import { serveHealth } from './observability/health-server.ts';
import { reportByLog } from './observability/log-messages.ts';
import { readSamples } from './observability/metric-samples.ts';
import { metricsText } from './observability/metrics.ts';
import { unreadyReasons } from './observability/readiness.ts';
import { serveSecureMetrics } from './observability/secure-metrics-server.ts';
import { mayDelete } from './planner/may-delete.ts';
import { type Plan, plan, planAbout } from './planner/plan.ts';
import { type PodsByUid, podsAfter } from './planner/pods-by-uid.ts';
import type { Settings } from './settings.ts';
import { type Spawner, startSpawner } from './spawner/spawner.ts';
import { openCaptureFolders } from './storage/capture-folders.ts';
import { openCapturedPods } from './storage/captured-pods.ts';
import { type FreeSpace, freeSpaceOf } from './storage/free-space.ts';

export type AgentOptions = {
  readonly settings: Settings;
  readonly version: string;
  readonly client: KubernetesClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the agent, and everything that it started. */
  readonly signal: AbortSignal;
  /** Ends the process as if it had been killed, after an error that only a new one recovers from. */
  readonly die: (why: string) => void;
};

/** Sizes and free space change by themselves. */
const measureEveryMs = 30_000;
/** Somebody else may fill the disk: whether the share that stays free is reached costs little to ask. */
const askDiskEveryMs = 2_000;
/** Each change of a Pod asks for a plan, and each folder that comes or goes: of many at once one is made. */
const planRestMs = 20;
/** Events go an hour after they were written last. */
const renewEveryMs = 45 * 60_000;
/** How long the first list of Pods may take before the captures of an earlier agent go on without it. */
const firstListMs = 1_000;
/** A short-lived ring takes up to 16 MiB (preload/write-buffer.h): not for a hundred captures at once. */
const memorySlots = 16;
/** Certificates of /metrics. */
const rereadEveryMs = 10_000;

/** Captures the annotated Pods of one Node until the signal: a Pod's change goes through here, from top to bottom. */
export async function runAgent({
  settings,
  version,
  client,
  clock,
  log,
  signal,
  die,
}: AgentOptions): Promise<void> {
  const { nodeName, capturesFolder, captureUser } = settings;
  await using events = eventRecorder({ client, nodeName, log });
  const status = captureStatuses([reportByLog(log), reportByEvent(events.record, { nodeName })]);
  const folders = await openCaptureFolders({ root: capturesFolder, groupId: captureUser, clock, log });
  await using capturedPods = await openCapturedPods({ root: capturesFolder, clock, log });
  let disk = await freeSpaceOf(capturesFolder);
  await using networks = await watchPodNetworks({
    resultsFolder: settings.cniResultsFolder,
    netnsFolder: settings.netnsFolder,
    resyncMs: settings.cniResyncSeconds * 1_000,
    log,
  });
  await using slots = await memorySlotsOf(capturesFolder, log);
  await using spawner = startSpawner({
    nativeFolder: settings.nativeFolder,
    userId: captureUser,
    bufferSlotsFd: slots?.fd,
    onLost: die,
  });
  const limits = limitsOf(settings);
  await using recorders = startRecorders({
    folders,
    networks,
    status,
    clock,
    settings: captureSettings(settings, spawner),
    mayDelete: (decision) => mayDelete(decision, limits, (name) => readPod(client, { ...name, signal })),
    onFolders: () => askingDisk.run(),
    log,
  });

  let pods: PodsByUid | undefined;
  /** As an earlier agent knew them: in place of a list that does not come. */
  let unlisted: PodsByUid | undefined;
  let planned: Plan | undefined;
  let lastContactMs: number | undefined;
  using nextReplan = wakeAt(clock, () => planning.run());
  using planning = throttle(planRestMs, () => {
    const known = pods ?? unlisted;
    if (!known || signal.aborted) return;
    const capacity = { ...capacityOf(settings), disk };
    const state = {
      pods: known,
      folders: folders.states(),
      recording: recorders.recording(),
      capacity,
      limits,
    };
    const next = plan({ ...state, nowMs: clock.nowMs() });
    nextReplan.at(next.nextMs);
    if (!pods) return recorders.apply(planAbout(known, next));
    planned = next;
    recorders.apply(planned);
    capturedPods.note(recordedPods(planned));
  });

  /** What an earlier agent captured goes on; nothing is concluded about Pods that it did not capture. */
  function goOnUnlisted(): void {
    if (pods || capturedPods.before.length === 0) return;
    log.warn({ pods: capturedPods.before.length }, 'no list of Pods yet, going on with what was captured');
    unlisted = new Map(capturedPods.before.map((pod) => [pod.uid, pod]));
    planning.run();
  }

  // Whenever a folder has come or gone: what was freed must not be freed once more. What the folder itself holds is
  // known by then, and the others need not be looked into.
  const askingDisk = coalesced(
    async () => {
      disk = await freeSpaceOf(capturesFolder);
      planning.run();
    },
    (error) => log.warn({ err: error }, 'disk not measured'),
  );
  const measuring = coalesced(
    async () => {
      await folders.measureAll();
      askingDisk.run();
    },
    (error) => log.warn({ err: error }, 'captures not measured'),
  );

  const hasFreeSpace = ({ availableBytes, capacityBytes }: FreeSpace) =>
    100 * availableBytes > settings.minFreeDiskPercent * capacityBytes;

  const metrics = () =>
    metricsText(
      readSamples({
        status,
        plan: () => planned,
        folders,
        capacity: () => ({ ...capacityOf(settings), disk }),
        lastContactMs: () => lastContactMs,
        events,
        version,
        podMetrics: settings.podMetrics,
      }),
    );
  using _watchingRoom = every(askDiskEveryMs, async () => {
    const now = await freeSpaceOf(capturesFolder);
    if (hasFreeSpace(now) !== hasFreeSpace(disk)) measuring.run();
  });
  using _measuring = every(measureEveryMs, async () => measuring.run());
  using _renewing = every(renewEveryMs, async () => status.renew());
  const folder = settings.metricsTlsFolder;
  await using _health = await serveHealth({
    port: settings.port,
    unreadyReasons: () => unreadyReasons(planned, status),
    metrics: folder === undefined ? metrics : undefined,
  });
  using withoutList = wakeAt(clock, goOnUnlisted);
  withoutList.at(clock.nowMs() + firstListMs);
  await using _metrics =
    folder === undefined
      ? undefined
      : await serveSecureMetrics({
          port: settings.metricsPort,
          folder,
          rereadMs: rereadEveryMs,
          metrics,
          log,
        });
  log.info({ nodeName, version }, 'agent started');
  for await (const change of watchCollection({
    client,
    path: '/api/v1/pods',
    fieldSelector: `spec.nodeName=${nodeName}`,
    parse: parsePod,
    onState(state) {
      if (state.kind === 'synced') lastContactMs = state.lastContactMs;
    },
    log,
    signal,
  })) {
    pods = podsAfter(pods ?? new Map(), change);
    planning.run();
  }
  log.info({}, 'agent stopping');
}

/** On a full disk there is none, until the next start: the captures go on and write more. */
async function memorySlotsOf(folder: string, log: Logger): Promise<FileHandle | undefined> {
  try {
    return await openWriteBufferSlots(folder, memorySlots);
  } catch (error) {
    log.warn({ err: error }, 'no file for memory slots: each capture holds 1 MiB at most');
    return undefined;
  }
}

function limitsOf({ maxFiles, maxFileMegabytes, retentionSeconds }: Settings) {
  return { maxFiles, maxFileMegabytes, retentionMs: retentionSeconds * 1_000 };
}

function capacityOf(settings: Settings) {
  return {
    maxCaptures: settings.maxCaptures,
    diskBudgetBytes: settings.diskBudgetMegabytes * 1_000_000,
    bufferBudgetBytes: settings.bufferBudgetMegabytes * 1_000_000,
    bufferBytes: settings.bufferKib * 1_024,
    minFreeRatio: settings.minFreeDiskPercent / 100,
  };
}

function captureSettings(
  { bufferKib, captureUser, agentName, maxFiles }: Settings,
  spawner: Spawner,
): CaptureSettings {
  return {
    bufferKib,
    // Twice the most files: N can change to anything without a restart of tcpdump.
    wrapAfter: 2 * maxFiles,
    userId: captureUser,
    spawner,
    agent: agentName,
  };
}

function recordedPods({ decisions }: Plan): Pod[] {
  return [...decisions.values()].flatMap((decision) => (decision.kind === 'record' ? decision.pod : []));
}
