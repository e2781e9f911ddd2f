import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { readCommand } from '../commands/read.ts';
import { list } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { capturedNumbers } from '../pcap/testing/captured-numbers.ts';
import { temporaryFolder } from '../testbed/temporary-folder.ts';
import { readRecords } from './storage/capture-records.ts';
import { readFrozenRings } from './storage/frozen-rings.ts';
import { type AgentSceneOptions, agentScene } from './testing/agent-scene.ts';

// The API server is a stand-in that sends what a kubelet would write into the status of a Pod. Everything else is real.

const podPath = '/api/v1/namespaces/default/pods/web';

type ContainerFields = { readonly ready?: boolean; readonly state?: object; readonly restartCount?: number };

/** The Pod "web" with a container in that state, and annotations beside tcpdump.antrea.io. */
function webWith(
  version: number,
  {
    files = '3',
    phase = 'Running',
    ...more
  }: { files?: string; phase?: string; annotations: Record<string, string> },
  container: ContainerFields = {},
): object {
  const annotations = { 'tcpdump.antrea.io': files, ...more.annotations };
  const containerStatuses = [{ name: 'app', restartCount: 0, ready: true, ...container }];
  return { ...podObject('web', `${version}`, annotations), status: { phase, containerStatuses } };
}

function ended(containerID: string, exitCode = 1): ContainerFields {
  return { ready: false, state: { terminated: { exitCode, reason: 'Error', containerID } } };
}

type Request = Parameters<typeof webWith>[1];

/** The agent captures the Pod; `becomes` changes it. */
async function freezeScene(request: Request, options: AgentSceneOptions = {}) {
  const scene = await agentScene(options);
  scene.server.script.list.push(list('5', [webWith(4, request)]));
  scene.server.objects.set(podPath, webWith(4, request));
  const agent = await scene.start();
  await until(() => scene.eventReasons().includes('CaptureStarted'), { what: 'the capture' });
  const watch = await scene.server.nextWatch();
  let version = 5;
  const folder = join(scene.captures, 'default_web_uid-web');
  function become(object: object): void {
    scene.server.objects.set(podPath, object);
    watch.send({ type: 'MODIFIED', object });
  }
  return {
    ...scene,
    folder,
    agent,
    becomes(container: ContainerFields, change: Partial<Request> = {}): void {
      version += 1;
      become(webWith(version, { ...request, ...change }, container));
    },
    become,
    /** Waits until that many rings are frozen. */
    frozen: async (count: number) =>
      await until(
        async () => {
          const rings = await readFrozenRings(folder);
          return rings.length >= count && rings.every(({ record }) => record.frozen) && rings;
        },
        { what: `${count} frozen rings`, deadlineMs: 30_000 },
      ),
    /** The numbers of the datagrams that `podcap read` writes. */
    numbers: (...args: readonly string[]) => readNumbers(scene.captures, args),
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await scene[Symbol.asyncDispose]();
    },
  };
}

async function readNumbers(captures: string, args: readonly string[]): Promise<readonly number[]> {
  await using output = await temporaryFolder();
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const written: Buffer[] = [];
  // The command uses its buffers again.
  stdout.on('data', (chunk: Buffer) => written.push(Buffer.from(chunk)));
  const code = await readCommand(['default/web', '--format', 'pcap', ...args], {
    env: { PODCAP_CAPTURES_FOLDER: captures },
    stdout,
    stderr,
  });
  stdout.end();
  expect(code).toBe(0);
  const path = join(output.path, 'read.pcap');
  await writeFile(path, Buffer.concat(written));
  return await capturedNumbers(path);
}

function expectConsecutive(numbers: readonly number[]): void {
  const first = numbers[0] ?? 0;
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, at) => first + at));
}

async function openInterfaces(folder: string): Promise<string> {
  const open = (await readRecords(folder)).filter(({ endTime }) => endTime === undefined);
  return open.map((record) => record.interface).join();
}

const onRestart = { annotations: { 'podcap.dev/freeze-on': 'restart', 'podcap.dev/freeze-after': '1s' } };

test('a frozen ring at full speed ends after N more files, and the next ring begins before that', async () => {
  const annotations = { 'podcap.dev/freeze-on': 'restart', 'podcap.dev/freeze-after': '10m' };
  await using scene = await freezeScene({ annotations, files: '100' });
  const sending = await scene.testbed.startDatagrams({ rate: 20_000, bytes: 1_400 });
  await until(async () => (await readdir(scene.folder)).length > 6, { what: 'some files' });
  scene.becomes(ended('run-1'), { files: '3' });
  const [ring] = await scene.frozen(1);
  await sending.stop();
  // Fewer files were asked for at that moment, and the ring is kept as it was.
  expect(ring?.files).toBeGreaterThanOrEqual(6 + 3);
  const frozen = await scene.numbers('--frozen', '1');
  expectConsecutive(frozen);
  const records = await readRecords(scene.folder);
  expect(records).toHaveLength(2);
  expect(records[1]?.totals).toMatchObject({ missed: 0, dropped: 0 });
  expect(ring?.record.frozen?.packets).toBe(frozen.length);
});

test('both interfaces are frozen, and each datagram of both is there once', async () => {
  const annotations = { ...onRestart.annotations, 'podcap.dev/interface': 'eth0,lo' };
  await using scene = await freezeScene({ annotations });
  const onLoopback = await scene.testbed.startDatagrams({
    to: '127.0.0.1',
    rate: 500,
    firstNumber: 1_000_000,
  });
  const onEth0 = await scene.testbed.startDatagrams({ rate: 500 });
  await until(async () => (await scene.numbers()).length > 500, { what: 'datagrams' });
  scene.becomes(ended('run-1'));
  await scene.frozen(1);
  const before = await scene.numbers('--frozen', '1');
  await until(async () => (await scene.numbers()).length > 1_000, { what: 'more datagrams' });
  for (const sending of [onLoopback, onEth0]) await sending.stop();
  for (const of of [(n: number) => n < 1_000_000, (n: number) => n >= 1_000_000]) {
    expect(before.filter(of).length).toBeGreaterThan(100);
    expectConsecutive((await scene.numbers('--frozen', 'all')).filter(of));
  }
});

test('an interface that is not asked for any more while it is frozen is not captured further', async () => {
  const annotations = { 'podcap.dev/freeze-on': 'restart', 'podcap.dev/freeze-after': '10m' };
  const both = { ...annotations, 'podcap.dev/interface': 'eth0,lo' };
  await using scene = await freezeScene({ annotations: both });
  scene.becomes(ended('run-1'));
  // Two captures are frozen, and two continue.
  await until(async () => (await scene.tcpdumps()).length === 4, { what: 'the next captures' });
  scene.becomes(ended('run-1'), { annotations });
  await until(async () => (await openInterfaces(scene.folder)) === 'eth0,eth0', { what: 'the end of lo' });
  expect(await scene.tcpdumps()).toHaveLength(2);
});

test('a Pod that fails, and whose network is gone at the same time, is frozen with its last datagram', async () => {
  const annotations = { 'podcap.dev/freeze-on': 'failed' };
  await using scene = await freezeScene({ annotations });
  await scene.testbed.sendDatagrams({ count: 500 });
  await scene.testbed.deleteInterface();
  await until(async () => (await scene.tcpdumps()).length === 0, { what: 'the end of tcpdump' });
  scene.becomes(ended('run-1'), { phase: 'Failed' });
  const [ring] = await scene.frozen(1);
  expect(ring?.record.causes).toEqual([{ trigger: 'failed' }]);
  expect(await scene.numbers('--frozen', '1')).toEqual(Array.from({ length: 500 }, (_, n) => n));
  await until(() => scene.eventReasons().includes('CaptureStopped'), { what: 'the end of the capture' });
});

test('without capacity for another ring nothing is frozen, and the capture continues', async () => {
  // A ring of 2 files of 1 MB takes 4 MB, and a frozen one 14 MB.
  await using scene = await freezeScene(
    { ...onRestart, files: '2' },
    { settings: { diskBudgetMegabytes: 18 } },
  );
  await scene.testbed.sendDatagrams({ count: 1_500, rate: 5_000, bytes: 1_000 });
  scene.becomes(ended('run-1'));
  await scene.frozen(1);
  scene.becomes(ended('run-1'), { annotations: { ...onRestart.annotations, 'podcap.dev/freeze': 'now' } });
  await until(() => scene.eventReasons().includes('CaptureNotFrozen'), { what: 'the Event' });
  expect(scene.events().at(-1)).toBe(
    'CaptureNotFrozen: asked for by podcap.dev/freeze="now": the ring is not frozen, because the capacity of node1 is used up; the capture continues',
  );
  expect(await scene.tcpdumps()).toHaveLength(1);
  const metrics = await scene.agent.ask('/metrics');
  for (const line of ['podcap_freezes_total 1', 'podcap_freezes_missed_total 1', 'podcap_frozen_rings 1'])
    expect(metrics).toContain(`\n${line}\n`);
});

test('a request that reserves more than fits is refused, and fits without freezing', async () => {
  await using scene = await agentScene({ settings: { diskBudgetMegabytes: 10 } });
  scene.server.script.list.push(list('5', [webWith(4, { ...onRestart, files: '2' })]));
  await using _agent = await scene.start();
  await until(() => scene.eventReasons().includes('OverBudget'), { what: 'the refusal' });
  expect(scene.events().at(-1)).toContain(
    'the capture may use 18 MB, and all captures on this Node together may use 10 MB',
  );
  (await scene.server.nextWatch()).send({
    type: 'MODIFIED',
    object: webWith(6, { annotations: {}, files: '2' }),
  });
  await until(() => scene.eventReasons().includes('CaptureStarted'), { what: 'the capture' });
});

test('removing the annotation deletes frozen rings too', async () => {
  await using scene = await freezeScene(onRestart);
  await scene.testbed.sendDatagrams({ count: 100 });
  scene.becomes(ended('run-1'));
  expect(await scene.frozen(1)).toHaveLength(1);
  scene.become(podObject('web', '99'));
  await until(async () => (await readdir(scene.captures)).length === 0, { what: 'the deletion' });
  expect(await scene.tcpdumps()).toEqual([]);
});

test('a paused capture is continued by another agent only when it is not paused any more', async () => {
  await using scene = await freezeScene({ annotations: {} });
  await scene.testbed.sendDatagrams({ count: 100 });
  const paused = { annotations: { 'podcap.dev/paused': 'true' } };
  scene.becomes({}, paused);
  await until(() => scene.eventReasons().includes('CapturePaused'), { what: 'the Event' });
  expect(await scene.numbers()).toHaveLength(100);
  await scene.agent.stop();
  scene.server.script.list.push(list('8', [webWith(7, paused)]));
  await using next = await scene.start();
  await until(async () => (await next.ask('/metrics')).includes('\npodcap_captures{state="paused"} 1\n'), {
    what: 'the state',
  });
  expect(await scene.tcpdumps()).toEqual([]);
  (await scene.server.nextWatch()).send({ type: 'MODIFIED', object: webWith(9, { annotations: {} }) });
  await until(async () => (await scene.tcpdumps()).length === 1, { what: 'the capture' });
  expect(await scene.numbers()).toHaveLength(100);
});

test('a text that is set while a ring is being frozen freezes the next one, whatever else happens to the Pod', async () => {
  await using scene = await freezeScene({ annotations: {} });
  const sending = await scene.testbed.startDatagrams({ rate: 200 });
  const texts = ['first', 'second', 'third'];
  for (const [at, text] of texts.entries()) {
    const annotations = { 'podcap.dev/freeze-after': '3s', 'podcap.dev/freeze': text };
    // What is set within a second is of the same moment.
    const isOtherMoment = async () => {
      const ring = (await readFrozenRings(scene.folder))[at];
      scene.becomes({ ready: Date.now() % 2 === 0 }, { annotations });
      return ring !== undefined && Date.now() - Date.parse(ring.record.time) > 1_200;
    };
    await until(isOtherMoment, { what: `${text} to freeze` });
  }
  const rings = await scene.frozen(3);
  await sending.stop();
  expect(rings.map(({ record }) => record.causes)).toEqual(
    texts.map((text) => [{ trigger: 'manual', text }]),
  );
  expectConsecutive(await scene.numbers('--frozen', 'all'));
});
