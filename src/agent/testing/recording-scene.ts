import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { until } from '../../base/until.ts';
import { capturedNumbers } from '../../pcap/testing/captured-numbers.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import type { VethTestbed } from '../../testbed/veth-testbed.ts';
import { type WrittenCniEntry, writeCniEntry } from '../../testbed/write-cni-entry.ts';
import { type CheckFilter, filterChecks } from '../capture/filter-check.ts';
import { startPodLoop } from '../capture/pod-loop.ts';
import { watchPodNetworks } from '../netns/pod-networks.ts';
import type { CaptureReport, Counted } from '../observability/capture-status.ts';
import type { CaptureSpec } from '../planner/annotations.ts';
import { openCaptureFolders } from '../storage/capture-folders.ts';
import { folderName, parseRingFile, type RingFile } from '../storage/file-names.ts';
import type { CaptureFolder } from '../storage/generations.ts';
import { orderByAge } from '../storage/ring-order.ts';
import { podWith, specOf } from './fixtures.ts';
import { testSpawner } from './tcpdump-fixtures.ts';

/** The Pod that is recorded. */
export const scenePod = { namespace: 'default', name: 'web', uid: '0d4f5a5e-4a4c-4d57-9c4c-1d8b6f0f8f10' };
const pod = scenePod;
const log = pino({ level: 'silent' });

export type SceneOptions = {
  /** The folder of captures; a temporary one by default. */
  readonly captures?: string;
  readonly bufferKib?: number;
  /** Called when the recorder has its folder measured. */
  readonly measure?: () => Promise<void>;
  /** Replaces the check of filters. */
  readonly checkFilter?: CheckFilter;
  /** Wraps the folder that the recorder gets. */
  readonly wrapFolder?: (folder: CaptureFolder) => CaptureFolder;
};

/** A Pod with a network but without a kubelet: its entry in a CNI cache, and a folder of captures. */
export async function recordingScene(testbed: VethTestbed, options: SceneOptions = {}) {
  const captures = await temporaryFolder();
  const root = options.captures ?? captures.path;
  const cache = await temporaryFolder();
  const entry: WrittenCniEntry = {
    folder: cache.path,
    podUid: pod.uid,
    sandboxId: 'sandbox1',
    netns: testbed.netns,
  };
  await writeCniEntry(entry);
  const networks = await watchPodNetworks({
    resultsFolder: cache.path,
    netnsFolder: dirname(testbed.netns),
    resyncMs: 60_000,
    log,
  });
  const clock = { nowMs: () => performance.now(), bootId: 'boot' };
  const opened = await openCaptureFolders({ root, groupId: 10_001, clock, log });
  const folders: typeof opened = {
    ...opened,
    measure: options.measure ?? opened.measure,
    async open(name) {
      const folder = await opened.open(name);
      return options.wrapFolder?.(folder) ?? folder;
    },
  };
  const spawner = await testSpawner();

  async function start(count: number, more: Partial<CaptureSpec> = {}, agent = 'agent') {
    const reports: CaptureReport[] = [];
    const counts: Counted[] = [];
    const hasStopped = Promise.withResolvers<void>();
    const loop = startPodLoop(
      pod.uid,
      {
        folders,
        networks,
        checkFilter: options.checkFilter ?? filterChecks({ userId: 10_001, atOnce: 2 }),
        settings: { spawner, agent, nodeName: 'node1', maxFiles: 100 },
        status: {
          report(_pod, status) {
            reports.push(status);
            if (status.kind === 'stopped') hasStopped.resolve();
          },
          started: () => {},
          count: (_pod, counted) => counts.push(counted),
          forget: () => {},
        },
        mayDelete: async () => true,
        onFolders: () => {},
        requestPlan: () => {},
        handovers: { spareRings: () => 4, begin: () => ({ [Symbol.dispose]() {} }) },
        clock,
        log,
      },
      () => {},
    );
    const recorder = {
      change: (spec: CaptureSpec, bufferKib = options.bufferKib ?? 4_096) =>
        loop.decide(
          { kind: 'record', pod: podWith(pod), spec },
          { bufferKib: new Map(spec.interfaces.map((name) => [name, bufferKib])) },
        ),
      endWithPod: () => loop.decide({ kind: 'keep', why: 'PodEnded' }),
      async stop(why: 'AgentStopped' | 'AnnotationRemoved') {
        if (why === 'AgentStopped') return await loop[Symbol.asyncDispose]();
        loop.decide({ kind: 'delete', pod, why });
        await hasStopped.promise;
      },
      ring: () => loop.recording() ?? { formerSizes: [] },
      capturedMs: () => loop.recording()?.capturedMs ?? 0,
      ended: hasStopped.promise,
    };
    recorder.change(specOf(count, more));
    return { recorder, reports, counts, path: join(root, folderName({ ...pod, pod: pod.name })) };
  }

  /** Not the processes that send. */
  async function tcpdumps(): Promise<number[]> {
    const pids = await testbed.processes();
    const names = await Promise.all(
      pids.map(async (pid) => (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim()),
    );
    return pids.filter((_pid, index) => names[index] === 'tcpdump');
  }

  return {
    entry,
    start,
    async record(
      count: number,
      more: Partial<CaptureSpec> = {},
      first: CaptureReport['kind'] = 'capturing',
      agent?: string,
    ) {
      const started = await start(count, more, agent);
      await until(() => started.reports.some(({ kind }) => kind === first), { what: first });
      return started;
    },
    /** The numbers of the datagrams in all files, or in those of one generation. */
    async numbers(path: string, generation?: number): Promise<number[]> {
      const files = (await ringFilesOf(path)).filter(
        (file) => generation === undefined || file.generation === generation,
      );
      const numbers = await Promise.all(files.map(({ name }) => capturedNumbers(join(path, name))));
      return numbers.flat();
    },
    tcpdumps,
    /** For how long the Pod was captured, as its folder says. */
    async capturedMs(): Promise<number> {
      await opened.measure(pod.uid);
      return opened.states().get(pod.uid)?.capturedMs ?? 0;
    },
    async tcpdumpPid(): Promise<number> {
      return await until(async () => (await tcpdumps())[0], { what: 'a tcpdump' });
    },
    async [Symbol.asyncDispose]() {
      await spawner[Symbol.asyncDispose]();
      await networks[Symbol.asyncDispose]();
      await cache[Symbol.asyncDispose]();
      await captures[Symbol.asyncDispose]();
    },
  };
}

/** The capture files of a folder, oldest first. */
export async function ringFilesOf(path: string): Promise<RingFile[]> {
  return orderByAge(
    (await readdir(path)).flatMap((name) => parseRingFile(name) ?? []),
    new Set(),
  );
}
