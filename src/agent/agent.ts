import type { FileHandle } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { Clock } from '../base/clock.ts';
import { every } from '../base/timers.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { eventRecorder } from '../kubernetes/event-recorder.ts';
import { type Change, watchCollection } from '../kubernetes/list-watch.ts';
import { type Pod, parsePod, readPod } from '../kubernetes/pod.ts';
import { serveListeners } from '../observability/listeners.ts';
import { filterChecks } from './capture/filter-check.ts';
import { startPodLoops } from './capture/pod-loops.ts';
import { openWriteBufferSlots } from './capture/write-buffer-slots.ts';
import { openAgentHub } from './link/agent-hub.ts';
import { watchPodNetworks } from './netns/pod-networks.ts';
import { podStates } from './observability/capture-states.ts';
import { captureStatuses } from './observability/capture-status.ts';
import { reportByEvent } from './observability/event-messages.ts';
import { reportByLog } from './observability/log-messages.ts';
import { readSamples } from './observability/metric-samples.ts';
import { metricsText } from './observability/metrics.ts';
import { type Progress, trackProgress } from './observability/progress.ts';
import { progressReports } from './observability/progress-reports.ts';
import { unreadyReasons } from './observability/readiness.ts';
import { openStateFile } from './observability/state-file.ts';
import type { Capacity } from './planner/capacity.ts';
import { type FreshState, mayDelete } from './planner/may-delete.ts';
import type { PlanLimits } from './planner/node-state.ts';
import { reservedRingBytes } from './planner/receive-rings.ts';
import { startPlanning } from './planning.ts';
import { listPolicies, watchPolicies } from './policy-watch.ts';
import { heldFiles } from './serving/held-files.ts';
import { recordingServing } from './serving/recording-serving.ts';
import { noTaps, type TapCapacity, tapCapacity } from './serving/taps/tap-capacity.ts';
import { openTaps } from './serving/taps/taps.ts';
import type { Settings } from './settings.ts';
import { type StreamingSpawner, startSpawner } from './spawner/spawner.ts';
import { openCaptureFolders } from './storage/capture-folders.ts';
import { openCapturedPods } from './storage/captured-pods.ts';
import { deletedRecordings } from './storage/deleted-recordings.ts';
import { startDiskSampling } from './storage/disk-sampling.ts';
import { isUninstalled } from './uninstall.ts';

export type AgentOptions = {
  readonly settings: Settings;
  readonly version: string;
  readonly client: KubernetesClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the agent, and everything that it started. */
  readonly signal: AbortSignal;
  /** Ends the process as if it had been killed, after an error that only a new process recovers from. */
  readonly die: (why: string) => void;
};

/** An hour after it was last written, the API server deletes an Event. */
const renewEveryMs = 45 * 60_000;
/** A loss is reported this soon. */
const progressCheckEveryMs = 60_000;
/**
 * A write buffer takes up to 16 MiB (preload/write-buffer.h): not every one of a hundred captures gets one. As many as
 * preload/write-buffer.c tries.
 */
const bufferSlots = 16;
/** Each reader of a recording takes up to 4 MiB of memory. */
const mostReaders = 8;
/** The share of the disk budget that deleted files may take while somebody reads them. */
const heldShare = 0.1;
/** How late a resync of the CNI cache may be before the agent counts as stuck. */
const resyncStuckAfterMs = 60_000;
/** A check takes up to a second of CPU time. */
const filterChecksAtOnce = 2;

/**
 * Captures the annotated Pods of one Node until the signal. A change of a Pod takes this path: watchPods -> planning ->
 * loops -> status -> Events, log lines and metrics.
 */
export async function runAgent(options: AgentOptions): Promise<void> {
  const { settings, version, clock, log } = options;
  const { nodeName, capturesFolder, captureUser } = settings;
  const progress = trackProgress();

  // What it opens: each part is closed in reverse order, so that what reports outlives what is reported.
  await using events = eventRecorder({ client: options.client, nodeName, log });
  const ending = { isUninstall: false };
  const place = { nodeName, isUninstall: () => ending.isUninstall };
  const captureProgress = progressReports({
    nodeName,
    record: events.record,
    totalsOf: (uid) => folders.totals(uid),
    nowMs: clock.nowMs,
    log,
  });
  const status = captureStatuses([
    reportByLog(log),
    reportByEvent(events.record, place),
    captureProgress.onStatus,
    () => states.changed(),
    () => hub.changed(),
  ]);
  const folders = await openCaptureFolders({
    root: capturesFolder,
    groupId: captureUser,
    readsPacketTimes: settings.podMetrics,
    agent: settings.agentName,
    mostFrozenRings: settings.maxFrozenRings,
    clock,
    log,
  });
  await using capturedPods = await openCapturedPods({ root: capturesFolder, clock, log });
  await using networks = await openNetworks(settings, progress, log);
  await using slots = await bufferSlotsIn(capturesFolder, log);
  await using spawner = openSpawner(options, slots);

  // How a Pod becomes a capture.
  const limits = limitsOf(settings);
  const policyAccess: PolicyAccess = { isForbidden: false };
  const checkFilter = filterChecks({ userId: captureUser, atOnce: filterChecksAtOnce });
  await using loops = startPodLoops({
    folders,
    networks,
    status,
    clock,
    settings: { spawner, agent: settings.agentName, nodeName, maxFiles: settings.maxFiles },
    checkFilter,
    mayDelete: (deletion) => mayDelete(deletion, limits, freshState(options, limits, policyAccess)),
    onFolders: () => disk.sample(),
    requestPlan: () => planning.run(),
    log,
  });
  const forTaps = tapCapacityOf(settings);
  const capacity = capacityOf(settings, forTaps);
  const held = heldFiles({ mostBytes: capacity.diskBudgetBytes * heldShare });
  const discarded = new Set<string>();
  using planning = startPlanning({
    ...options,
    folders,
    loops,
    capturedPods,
    capacity,
    disk: { latest: () => disk.latest(), measure: () => disk.measure() },
    limits,
    discarded,
    progress,
  });
  using disk = await startDiskSampling({
    root: capturesFolder,
    folders,
    minFreeDiskPercent: settings.minFreeDiskPercent,
    heldBytes: held.measure,
    onSample: planning.run,
    progress,
    log,
  });
  await using states = await openStateFile({
    capturesFolder,
    states: () => podStates(status.all(), planning.latest()),
    log,
  });
  await using taps = openTaps({
    ...options,
    spawner,
    networks,
    pods: planning.pods,
    checkFilter,
    hubs: () => hub.hubs(),
    own: { namespace: settings.hub?.namespace },
    nodeName,
    maxTaps: forTaps.maxTaps,
  });
  await using hub = openAgentHub({
    ...options,
    hub: settings.hub,
    tokenFile: settings.hubTokenFile,
    states: () => podStates(status.all(), planning.latest()),
    plan: planning.latest,
    folders,
    freshTotals: loops.freshTotals,
    deletions: deletedRecordings(capturesFolder, clock),
    serving: {
      recording: recordingServing({
        capturesFolder,
        held,
        mostReaders,
        clock,
        folders,
        plan: planning.latest,
        discarded,
        requestPlan: planning.run,
        log,
      }),
      tap: { methods: ['GET'], handle: taps.handle },
    },
  });
  using _renewing = every(renewEveryMs, async () => status.renew());
  using _progress = every(progressCheckEveryMs, () => captureProgress.report(status.all()));

  // What it serves.
  const contact: Contact = { lastMs: undefined };
  const metricSources = {
    status,
    plan: planning.latest,
    folders,
    recording: loops.recording,
    networks,
    capacity: () => ({ ...capacity, disk: disk.latest().disk }),
    lastContactMs: () => contact.lastMs,
    events,
    hub: hub.counts,
    taps: taps.counts,
    version,
    podMetrics: settings.podMetrics,
  };
  const unready = unreadyReasons(() => performance.now());
  await using _servers = await serveListeners(settings, {
    stuckWork: progress.stuck,
    unreadyReasons: () => unready({ plan: planning.latest(), unlisted: planning.unlisted(), status }),
    metrics: () => metricsText(readSamples(metricSources)),
    log,
  });

  planning.awaitFirstLists();
  log.info({ nodeName, version }, 'agent started');
  await Promise.all([
    forEach(watchPods(options, contact), planning.change),
    forEach(watchPolicies({ ...options, limits }), (change) => {
      policyAccess.isForbidden = change.kind === 'forbidden';
      planning.changePolicies(change);
    }),
  ]);
  ending.isUninstall = await isUninstalled(options.client, settings.daemonSet);
  log.info({ isUninstall: ending.isUninstall }, 'agent stopping');
}

/** When the API server last answered, in milliseconds of Unix time. */
type Contact = { lastMs: number | undefined };

type PolicyAccess = { isForbidden: boolean };

/** The Pods of this Node and each change of them, until the signal. */
function watchPods(
  { settings, client, log, signal }: AgentOptions,
  contact: Contact,
): AsyncIterable<Change<Pod>> {
  return watchCollection({
    client,
    path: '/api/v1/pods',
    fieldSelector: `spec.nodeName=${settings.nodeName}`,
    parse: parsePod,
    onState(state) {
      if (state.kind === 'synced') contact.lastMs = state.lastContactMs;
    },
    log,
    signal,
  });
}

async function forEach<T>(items: AsyncIterable<T>, call: (item: T) => void): Promise<void> {
  for await (const item of items) call(item);
}

/** Asks the API server, not what was watched. */
function freshState(options: AgentOptions, limits: PlanLimits, access: PolicyAccess): FreshState {
  const { client, signal } = options;
  return {
    readPod: (name) => readPod(client, { ...name, signal }),
    listPolicies: (namespace) =>
      listPolicies(namespace, { ...options, limits, isForbidden: () => access.isForbidden }),
    unixMs: Date.now,
  };
}

function openNetworks(settings: Settings, progress: Progress, log: Logger) {
  const resyncMs = settings.cniResyncSeconds * 1_000;
  return watchPodNetworks({
    resultsFolder: settings.cniResultsFolder,
    netnsFolder: settings.netnsFolder,
    resyncMs,
    onResynced: progress.expect('reading the CNI cache', resyncMs + resyncStuckAfterMs),
    log,
  });
}

/** Undefined on a full disk, until the agent starts again: captures run without, and write to the disk more often. */
async function bufferSlotsIn(folder: string, log: Logger): Promise<FileHandle | undefined> {
  try {
    return await openWriteBufferSlots(folder, bufferSlots);
  } catch (error) {
    log.warn({ err: error }, 'failed to create write buffer slots: each capture buffers 1 MiB at most');
    return undefined;
  }
}

function openSpawner({ settings, die }: AgentOptions, slots: FileHandle | undefined): StreamingSpawner {
  return startSpawner({
    nativeFolder: settings.nativeFolder,
    userId: settings.captureUser,
    bufferSlotsFd: slots?.fd,
    onLost: die,
  });
}

function limitsOf({ maxFiles, maxFileMegabytes, retentionSeconds }: Settings): PlanLimits {
  return { maxFiles, maxFileMegabytes, retentionMs: retentionSeconds * 1_000 };
}

function tapCapacityOf({ hub, maxTaps, bufferBudgetMegabytes }: Settings): TapCapacity {
  return hub ? tapCapacity(maxTaps, bufferBudgetMegabytes * 1_000_000) : noTaps;
}

function capacityOf(settings: Settings, { reservedBytes }: TapCapacity): Omit<Capacity, 'disk'> {
  return {
    maxCaptures: settings.maxCaptures,
    diskBudgetBytes: settings.diskBudgetMegabytes * 1_000_000,
    bufferBudgetBytes: settings.bufferBudgetMegabytes * 1_000_000 - reservedBytes,
    bufferBytes: reservedRingBytes(settings.bufferKib),
    fixedBufferKib: settings.bufferKib,
    minFreeRatio: settings.minFreeDiskPercent / 100,
  };
}
