import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { apiServer, list, refusal, type WatchStream } from '../kubernetes/testing/api-server.ts';
import { selfSigned } from '../kubernetes/testing/certificate.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { openPcap } from '../pcap/pcap-file.ts';
import { capturedNumbers } from '../pcap/testing/captured-numbers.ts';
import { compileNative } from '../testbed/compile.ts';
import { fakeClock } from '../testbed/fake-clock.ts';
import { freePort } from '../testbed/loopback-port.ts';
import { temporaryFolder } from '../testbed/temporary-folder.ts';
import { type VethTestbed, vethTestbed } from '../testbed/veth-testbed.ts';
import { removeCniEntry, writeCniEntry } from '../testbed/write-cni-entry.ts';
import { readRecords } from './storage/capture-records.ts';
import { parseRingFile } from './storage/file-names.ts';
import { orderByAge } from './storage/ring-order.ts';
import { settingsText } from './testing/settings-text.ts';

// Only the agent's wall clock is set. tcpdump's, which stamps packets, and the times of files are real.

/** An agent starts in 0.5 s, and in more than 30 s on a busy machine. */
const deadlineMs = 120_000;
const offsets = ['+5h', '-7h', '+2d', '-2d', '+0h'];

test('the newest files of agents whose clocks are hours apart remain, in order and with real times', {
  timeout: 600_000,
}, async () => {
  const startedMs = Date.now();
  await using scene = await clockScene();
  await using testbed = await vethTestbed();
  await scene.attach('web', testbed);
  const wanted = podObject('web', '2', { 'tcpdump.antrea.io': '3' });
  const captures = scene.folderOf('web');
  let next = 0;
  for (const [at, offset] of offsets.entries()) {
    await scene.clock.set(offset);
    scene.server.script.list.push(list('2', [wanted]));
    await using agent = await scene.start();
    await scene.untilCapturing('web', at + 1);
    await scene.clock.set(offsets.at(at - 1) ?? '');
    // 1,000-byte datagrams: about 930 fill a file.
    next += await testbed.sendDatagrams({ count: 4_000, rate: 20_000, bytes: 1_000, firstNumber: next });
    await until(async () => (await numbersIn(captures)).at(-1) === next - 1, {
      what: 'the last datagram',
      deadlineMs,
    });
    await until(async () => (await ringOf(captures)).length === 3, { what: 'three files', deadlineMs });
    const environment = await readFile(`/proc/${(await testbed.processes())[0]}/environ`, 'utf8');
    expect(environment.toLowerCase()).not.toContain('faketime');
    await agent.stop();
  }
  const numbers = await numbersIn(captures);
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => next - numbers.length + i));
  expect(numbers.length).toBeGreaterThan(1_000);
  for (const stampMs of await stampsIn(captures)) {
    expect(stampMs).toBeGreaterThanOrEqual(startedMs);
    expect(stampMs).toBeLessThanOrEqual(Date.now());
  }
  // The agents' own clocks really were as far apart as they were set.
  const records = await readRecords(captures);
  const startHours = records.map(
    ({ startTime }) => `${Math.round((Date.parse(startTime) - startedMs) / 3_600_000)}`,
  );
  expect(startHours).toEqual(['5', '-7', '48', '-48', '0']);
});

test('a clock that is set forward ends neither the retention time nor a duration', {
  timeout: 600_000,
}, async () => {
  await using scene = await clockScene();
  await using agent = await scene.start({ retentionSeconds: '3600' });
  const watch = await scene.server.nextWatch();
  for (const [at, offset] of offsets.entries()) {
    await scene.clock.set('+0h');
    const [ended, long, short] = [`ended-${at}`, `long-${at}`, `short-${at}`];
    await scene.captureAndEnd(watch, ended);
    await using longTestbed = await scene.capture(watch, long, '1h');
    await scene.clock.set(offset);
    // When this one has reached its duration, the agent has planned with the newly set clock.
    await using _shortTestbed = await scene.capture(watch, short, '1s');
    await scene.untilEvent('CaptureStopped', short);
    expect((await readRecords(scene.folderOf(ended))).length).toBe(1);
    expect((await readRecords(scene.folderOf(long))).at(-1)?.endTime).toBeUndefined();
    expect(await longTestbed.processes()).toHaveLength(1);
  }
  await agent.stop();
});

test('a clock that is set back makes neither the retention time nor a duration longer', {
  timeout: 600_000,
}, async () => {
  await using scene = await clockScene();
  await using agent = await scene.start({ retentionSeconds: '2' });
  const watch = await scene.server.nextWatch();
  for (const [at, offset] of offsets.entries()) {
    await scene.clock.set('+3d');
    const [ended, short] = [`ended-${at}`, `short-${at}`];
    await using _testbed = await scene.capture(watch, short, '2s');
    await scene.captureAndEnd(watch, ended);
    await scene.clock.set(offset);
    await until(async () => !(await readdir(scene.captures)).some((name) => name.includes(ended)), {
      what: 'the captures to be deleted after the retention time',
      deadlineMs,
    });
    await scene.untilEvent('CaptureStopped', short);
  }
  await agent.stop();
  // Those of the Pods that are running.
  const left = (await readdir(scene.captures)).toSorted();
  expect(left).toEqual(offsets.map((_, at) => `default_short-${at}_uid-short-${at}`));
});

/** An agent whose clock can be set, on a Node with a testbed for each Pod. */
async function clockScene() {
  const captures = await temporaryFolder();
  const cache = await temporaryFolder();
  const clock = await fakeClock('+0h');
  // A certificate that is valid long before and after any date to which the agent's clock is set.
  await using longAgo = await fakeClock('-10d');
  const server = await apiServer(undefined, await selfSigned({ ...process.env, ...longAgo.env }));
  // When the agent reads a Pod before it deletes captures, the Pod does not exist.
  server.script.read.push(...Array.from({ length: 100 }, () => refusal(404, 'NotFound')));
  const first = await vethTestbed();
  const nativeFolder = await compileNative();
  const scene = {
    clock,
    server,
    captures: captures.path,
    folderOf: (pod: string) => join(captures.path, `default_${pod}_uid-${pod}`),
    async start(settings: Readonly<Record<string, string>> = {}) {
      const all = {
        ...settingsText,
        ...settings,
        capturesFolder: captures.path,
        cniResultsFolder: cache.path,
        netnsFolder: dirname(first.netns),
        nativeFolder,
        probePort: String(await freePort()),
        metricsPort: String(await freePort()),
      };
      return startAgent({ server: server.config.server, ca: server.config.ca, settings: all }, clock.env);
    },
    entryOf: (pod: string, testbed: VethTestbed) => ({
      folder: cache.path,
      podUid: `uid-${pod}`,
      podName: pod,
      sandboxId: `sandbox-${pod}`,
      netns: testbed.netns,
    }),
    attach: (pod: string, testbed: VethTestbed) => writeCniEntry(scene.entryOf(pod, testbed)),
    async untilCapturing(pod: string, generation: number): Promise<void> {
      const record = async () => (await readRecords(scene.folderOf(pod)).catch(() => [])).at(-1);
      await until(
        async () =>
          (await record())?.generation === generation && (await record())?.interfacePackets !== undefined,
        {
          what: `${pod} to be captured`,
          deadlineMs,
        },
      );
    },
    /** Adds a Pod and waits until it is captured. */
    async capture(watch: WatchStream, pod: string, duration?: string): Promise<VethTestbed> {
      const testbed = await vethTestbed();
      await scene.attach(pod, testbed);
      const more = duration === undefined ? {} : { 'podcap.dev/duration': duration };
      watch.send({ type: 'ADDED', object: podObject(pod, '10', { 'tcpdump.antrea.io': '2', ...more }) });
      await scene.untilCapturing(pod, 1);
      return testbed;
    },
    async captureAndEnd(watch: WatchStream, pod: string): Promise<void> {
      await using testbed = await scene.capture(watch, pod);
      await testbed.deleteInterface();
      await removeCniEntry(scene.entryOf(pod, testbed));
      watch.send({ type: 'DELETED', object: podObject(pod, '11', { 'tcpdump.antrea.io': '2' }) });
      await scene.untilEvent('CaptureStopped', pod);
    },
    async untilEvent(reason: string, pod: string): Promise<void> {
      const isIt = (body: unknown) => {
        const text = JSON.stringify(body ?? '');
        return text.includes(`"${reason}"`) && text.includes(`"${pod}"`);
      };
      await until(() => server.requests.some(({ body }) => isIt(body)), {
        what: `${reason} of ${pod}`,
        deadlineMs,
      });
    },
    async [Symbol.asyncDispose]() {
      for (const each of [server, clock, cache, captures, first]) await each[Symbol.asyncDispose]();
    },
  };
  return scene;
}

async function startAgent(start: object, env: NodeJS.ProcessEnv) {
  const program = join(import.meta.dirname, 'testing/measured-agent-program.ts');
  const agent = fork(program, [JSON.stringify(start)], {
    env: { ...process.env, ...env },
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: 'inherit',
  });
  const exited = once(agent, 'exit');
  async function stop(): Promise<void> {
    if (agent.connected) agent.disconnect();
    await exited;
  }
  return { stop, [Symbol.asyncDispose]: stop };
}

async function ringOf(folder: string) {
  return orderByAge(
    (await readdir(folder)).flatMap((name) => parseRingFile(name) ?? []),
    new Set(),
  );
}

async function numbersIn(folder: string): Promise<number[]> {
  const files = await ringOf(folder);
  // Files may have been deleted since they were listed.
  const read = files.map(({ name }) => capturedNumbers(join(folder, name)).catch(() => []));
  return (await Promise.all(read)).flat();
}

async function stampsIn(folder: string): Promise<number[]> {
  const stamps: number[] = [];
  for (const { name } of await ringOf(folder)) {
    const opened = await openPcap(join(folder, name));
    if (opened.kind !== 'pcap') continue;
    await using file = opened;
    for await (const { timestampNs } of file.records()) stamps.push(Number(timestampNs / 1_000_000n));
  }
  return stamps;
}
