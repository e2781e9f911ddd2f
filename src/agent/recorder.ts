import type { Logger } from 'pino';
import { type Backoff, backoff } from '../backoff.ts';
import type { Pod } from '../kubernetes/pod.ts';
import { type Doorbell, doorbell } from './doorbell.ts';
import type { CaptureFolder, Generation } from './folders.ts';
import { packetsCarried } from './interface-counters.ts';
import { type Network, type Networks, podInterface } from './networks.ts';
import type { CaptureSpec } from './request.ts';
import { type Ring, startRing } from './ring.ts';
import { type Ending, type Statistics, startTcpdump, type Tcpdump } from './tcpdump.ts';

/** One Pod's recording, from the moment it is wanted until nothing of it runs. */
export type Recorder = {
  /** Takes effect without a lost packet. */
  readonly change: (spec: CaptureSpec) => void;
  /** The Pod has ended: the recording ends with its network, so that the last packets are in the file. */
  readonly endWithPod: () => void;
  /** Ends now, and resolves when nothing of it runs any more. */
  readonly stop: (why: StopReason) => Promise<void>;
  readonly phase: () => 'recording' | 'ending' | 'ended';
  /** Resolves when nothing of it runs any more. Never rejects. */
  readonly ended: Promise<void>;
};

/** Why a recording ended; in each case but a removed annotation its files are kept. */
export type StopReason = 'PodEnded' | 'AnnotationRemoved' | 'Refused' | 'AgentStopped';

/** What a recording tells of itself, in the order in which it happens. */
export type RecorderReport =
  | { readonly kind: 'waiting' }
  | {
      readonly kind: 'capturing';
      /** Which start of tcpdump this is, counted over all agents. */
      readonly generation: number;
      readonly files: number;
      /** Packets that the interface had carried before; undefined where it could not be read. */
      readonly missedBefore: number | undefined;
    }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'stopped'; readonly why: StopReason; readonly total: Statistics | undefined };

export type RecorderOptions = {
  readonly pod: Pick<Pod, 'namespace' | 'name' | 'uid'>;
  /** The UID by which the CNI plugin knows the Pod: another one for static Pods. */
  readonly networkUid: string;
  readonly spec: CaptureSpec;
  readonly folder: CaptureFolder;
  readonly networks: Networks;
  readonly settings: CaptureSettings;
  readonly onReport: (report: RecorderReport) => void;
  readonly log: Logger;
};

/** The same for every capture of this agent; units as tcpdump's options have them (tcpdump.ts). */
export type CaptureSettings = {
  readonly bufferKib: number;
  readonly fileMegabytes: number;
  readonly wrapAfter: number;
  readonly userId: number;
  readonly drainLibrary: string;
  /** The name of the agent's own Pod, for the records. */
  readonly agent: string;
};

/** A Pod deleted by force leaves the API before its containers end: how long its network is waited for. */
const podEndMs = 60_000;
/** How long tcpdump may take to notice that its interface is gone, and a runtime to clean up after it. */
const networkEndMs = 1_000;
/** A tcpdump that ran so long was well: the next failure is the first again. */
const healthyMs = 30_000;

/** What is wanted of the recording now. Times are of performance.now(): no clock that can be set. */
type Wish =
  | { readonly kind: 'record' }
  | { readonly kind: 'endWithPod'; readonly untilMs: number }
  | { readonly kind: 'stop'; readonly why: StopReason };

export function startRecorder(options: RecorderOptions): Recorder {
  const { folder, spec, settings, networks, networkUid, log } = options;
  const bell = doorbell();
  const ring = startRing({ folder: folder.path, files: spec.files, wrapAfter: settings.wrapAfter, log });
  let wish: Wish = { kind: 'record' };
  let hasEnded = false;

  async function runToEnd(): Promise<void> {
    const unsubscribe = networks.onChange(networkUid, bell.ring);
    const total = await record({ ...options, bell, ring, wish: () => wish, waits: backoff() });
    unsubscribe();
    await ring[Symbol.asyncDispose]();
    hasEnded = true;
    options.onReport({ kind: 'stopped', why: wish.kind === 'stop' ? wish.why : 'PodEnded', total });
  }
  const ended = runToEnd();

  return {
    change: (next) => ring.keep(next.files),
    endWithPod() {
      if (wish.kind === 'record') wish = { kind: 'endWithPod', untilMs: performance.now() + podEndMs };
      bell.ring();
    },
    async stop(why) {
      wish = { kind: 'stop', why };
      bell.ring();
      await ended;
    },
    phase: () => (hasEnded ? 'ended' : wish.kind === 'record' ? 'recording' : 'ending'),
    ended,
  };
}

type Recording = RecorderOptions & {
  readonly bell: Doorbell;
  readonly ring: Ring;
  readonly waits: Backoff;
  readonly wish: () => Wish;
};

/**
 * One network after another: a Pod's sandbox can be recreated under the same UID. Gives back the sum of all, or
 * undefined when a tcpdump was killed before it could count.
 */
async function record(recording: Recording): Promise<Statistics | undefined> {
  let total: Statistics | undefined = { captured: 0, received: 0, dropped: 0 };
  let goneSandbox: string | undefined;
  for (;;) {
    const network = await findNetwork(recording);
    if (isOver(recording.wish(), network, goneSandbox)) return total;
    if (!network || network.sandboxId === goneSandbox) {
      if (!network) recording.onReport({ kind: 'waiting' });
      // The runtime is still taking the sandbox down; if it stays, its interface may be back.
      await recording.bell.wait(network ? networkEndMs : undefined);
      goneSandbox = undefined;
      continue;
    }
    const ending = await captureSafely(recording, network);
    total = sum(total, ending.statistics);
    goneSandbox = ending.cause === 'interfaceGone' ? network.sandboxId : undefined;
    if (ending.cause === 'failed') await pause(recording, recording.waits.next());
  }
}

function isOver(wish: Wish, network: Network | undefined, goneSandbox: string | undefined): boolean {
  switch (wish.kind) {
    case 'record':
      return false;
    case 'stop':
      return true;
    case 'endWithPod':
      return !network || network.sandboxId === goneSandbox || performance.now() >= wish.untilMs;
  }
}

async function findNetwork({ networks, networkUid, log }: Recording): Promise<Network | undefined> {
  try {
    return await networks.find(networkUid);
  } catch (error) {
    log.warn({ err: error }, 'network namespace not readable');
    return undefined;
  }
}

/** As capture(), and what it throws (a full disk, a folder that went) is an ending as well. */
async function captureSafely(recording: Recording, network: Network): Promise<Ending> {
  const startMs = performance.now();
  const ending = await capture(recording, network).catch(
    (error: unknown): Ending => ({
      kind: 'ended',
      cause: 'failed',
      message: error instanceof Error ? error.message : String(error),
      statistics: { captured: 0, received: 0, dropped: 0 },
    }),
  );
  if (performance.now() - startMs > healthyMs) recording.waits.reset();
  if (ending.cause === 'failed') recording.onReport({ kind: 'failed', message: ending.message });
  return ending;
}

/** One tcpdump on one network, until it ends or is to end. */
async function capture(recording: Recording, network: Network): Promise<Ending> {
  const { folder, settings, ring, bell } = recording;
  const generation = await folder.begin({
    agent: settings.agent,
    interface: podInterface,
    sandboxId: network.sandboxId,
  });
  const { file } = generation;
  const tcpdump = startTcpdump({
    ...settings,
    ...network,
    interface: podInterface,
    file,
    onFile: ring.prune,
  });
  const announced = announce(recording, tcpdump, generation);
  const ending = tcpdump.ended.finally(bell.ring);
  let goneMs: number | undefined;
  while (!tcpdump.hasEnded()) {
    goneMs =
      (await findNetwork(recording))?.sandboxId === network.sandboxId
        ? undefined
        : (goneMs ?? performance.now());
    const stop = whatEndsIt(recording.wish(), goneMs);
    if (stop.now) await tcpdump.stop(stop.now);
    else await bell.wait(stop.inMs);
  }
  await announced;
  const { message, statistics, cause } = await ending;
  await generation.note({
    end: new Date().toISOString(),
    endMessage: message,
    ...(statistics && { statistics }),
  });
  return { kind: 'ended', cause, message, statistics };
}

type Stop = { readonly now?: 'drain' | 'discard'; readonly inMs?: number };

/** Whether tcpdump must be stopped now, or when to look again. */
function whatEndsIt(wish: Wish, goneMs: number | undefined): Stop {
  if (wish.kind === 'stop') return { now: wish.why === 'AnnotationRemoved' ? 'discard' : 'drain' };
  const ends = [];
  if (wish.kind === 'endWithPod') ends.push(wish.untilMs);
  if (goneMs !== undefined) ends.push(goneMs + networkEndMs);
  if (ends.length === 0) return {};
  const inMs = Math.min(...ends) - performance.now();
  return inMs <= 0 ? { now: 'drain' } : { inMs };
}

/** When packets are being captured: how many had passed before, on disk and in the report. */
async function announce(recording: Recording, tcpdump: Tcpdump, generation: Generation): Promise<void> {
  const started = await tcpdump.started;
  if (started.kind !== 'listening' || tcpdump.pid === undefined) return;
  try {
    const missedBefore = await packetsCarried(tcpdump.pid, podInterface);
    recording.onReport({
      kind: 'capturing',
      generation: generation.number,
      files: recording.ring.limit(),
      missedBefore,
    });
    await generation.note({ ...(missedBefore !== undefined && { missedBefore }) });
  } catch (error) {
    recording.log.warn({ err: error }, 'capture record not written');
  }
}

/** Waits that long, or until the recording is to stop; a change of the network does not cut it short. */
async function pause(recording: Recording, ms: number): Promise<void> {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs && recording.wish().kind !== 'stop') {
    await recording.bell.wait(untilMs - performance.now());
  }
}

function sum(a: Statistics | undefined, b: Statistics | undefined): Statistics | undefined {
  if (!a || !b) return undefined;
  return {
    captured: a.captured + b.captured,
    received: a.received + b.received,
    dropped: a.dropped + b.dropped,
  };
}
