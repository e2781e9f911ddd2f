import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { list, refusal, statusObject } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { metricDescriptions } from './observability/metrics.ts';
import { readRecord } from './storage/capture-records.ts';
import { agentScene } from './testing/agent-scene.ts';

// The API server is a stand-in, because a real one cannot be made to answer from the past or to be silent on demand.
// Everything else is real.

const wanted = { 'tcpdump.antrea.io': '2' };
const folderOfWeb = 'default_web_uid-web';

test('an annotated Pod is captured, /readyz shows when, and the signal ends everything', async () => {
  await using scene = await agentScene();
  scene.server.script.list.push({ kind: 'silence' });
  await using agent = await scene.start();
  expect(await agent.ask('/healthz')).toBe('200 ok\n');
  expect(await agent.ask('/readyz')).toBe('503 the Pods of this Node are not listed yet\n');
  expect(await agent.ask('/other')).toBe('404 not found\n');
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted)]));
  scene.server.cutAll();
  await until(async () => (await agent.ask('/readyz')) === '200 ok\n', { what: 'the agent to be ready' });
  await until(() => scene.eventReasons().includes('CaptureStarted'), { what: 'the Event' });
  expect((await readdir(join(scene.captures, folderOfWeb))).toSorted()).toEqual([
    'captres-web.1.pcap000000000',
    'capture.1.json',
  ]);
  expect(await scene.tcpdumps()).toHaveLength(1);
  await agent.stop();
  expect(await scene.tcpdumps()).toEqual([]);
  await expect(agent.ask('/healthz')).rejects.toThrow('fetch failed');
  expect(await readdir(join(scene.captures, folderOfWeb))).toContain('captres-web.1.pcap000000000');
});

test('when an annotation was removed while no agent ran, the Pod is read and its captures are deleted', async () => {
  await using scene = await agentScene();
  await scene.leaveCaptures(folderOfWeb);
  scene.server.script.list.push(list('5', [podObject('web', '4')]));
  scene.server.script.read.push({ kind: 'json', body: podObject('web', '4') });
  await using _agent = await scene.start();
  await until(async () => (await readdir(scene.captures)).length === 0, {
    what: 'the captures to be deleted',
  });
  expect(scene.server.requests.find(({ kind }) => kind === 'read')?.path).toBe(
    '/api/v1/namespaces/default/pods/web',
  );
});

test.each([
  ['has the annotation', { kind: 'json', body: podObject('web', '9', wanted) }],
  [
    'has another UID',
    { kind: 'json', body: { ...podObject('web', '9'), metadata: { ...metadataOf('web'), uid: 'other' } } },
  ],
  ['does not exist', refusal(404, 'NotFound')],
  ['cannot be read', refusal(500, 'InternalError')],
] as const)(
  'a list without the annotation deletes nothing if the Pod itself %s',
  { repeats: 4 },
  async (_what, answer) => {
    await using scene = await agentScene();
    await scene.leaveCaptures(folderOfWeb);
    scene.server.script.list.push(list('5', [podObject('web', '4')]));
    scene.server.script.read.push(answer);
    await using agent = await scene.start();
    await until(() => scene.server.requests.some(({ kind }) => kind === 'read'), {
      what: 'the Pod to be read',
    });
    // The next change takes the same path after it: when it shows, the earlier decision has been carried out.
    await scene.server
      .nextWatch()
      .then((watch) =>
        watch.send({ type: 'ADDED', object: podObject('bad', '10', { 'tcpdump.antrea.io': 'x' }) }),
      );
    await until(() => scene.eventReasons().includes('InvalidAnnotation'), { what: 'the next change' });
    await agent.stop();
    // Until the policies are listed, it can be noted for the next agent, in a hidden file.
    const folders = (await readdir(scene.captures)).filter((name) => !name.startsWith('.'));
    expect(folders).toEqual([folderOfWeb]);
  },
);

test('a watch event without the annotation deletes nothing if the Pod itself has it', async () => {
  await using scene = await agentScene();
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted)]));
  scene.server.script.read.push({ kind: 'json', body: podObject('web', '9', wanted) });
  await using agent = await scene.start();
  await until(() => scene.eventReasons().includes('CaptureStarted'), { what: 'the capture' });
  const watch = await scene.server.nextWatch();
  // The watch continues from a list of the past: this event is outdated.
  watch.send({ type: 'MODIFIED', object: podObject('web', '6') });
  await until(() => scene.server.requests.some(({ kind }) => kind === 'read'), {
    what: 'the Pod to be read',
  });
  watch.send({ type: 'MODIFIED', object: podObject('web', '9', wanted) });
  watch.send({ type: 'ADDED', object: podObject('bad', '10', { 'tcpdump.antrea.io': 'x' }) });
  await until(() => scene.eventReasons().includes('InvalidAnnotation'), { what: 'the next change' });
  expect(await scene.tcpdumps()).toHaveLength(1);
  await agent.stop();
  expect(await readdir(scene.captures)).toContain(folderOfWeb);
  expect(scene.eventReasons()).not.toContain('CaptureStopped');
});

test('a removed annotation deletes the captures, and the Pod is read once', async () => {
  await using scene = await agentScene();
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted)]));
  scene.server.objects.set('/api/v1/namespaces/default/pods/web', podObject('web', '6'));
  await using _agent = await scene.start();
  await until(() => scene.eventReasons().includes('CaptureStarted'), { what: 'the capture' });
  const watch = await scene.server.nextWatch();
  watch.send({ type: 'MODIFIED', object: podObject('web', '6') });
  await until(async () => (await readdir(scene.captures)).length === 0, { what: 'the folder to be deleted' });
  watch.send({ type: 'ADDED', object: podObject('bad', '10', { 'tcpdump.antrea.io': 'x' }) });
  await until(() => scene.eventReasons().includes('InvalidAnnotation'), { what: 'the next change' });
  expect(scene.server.requests.filter(({ kind }) => kind === 'read')).toHaveLength(1);
});

test('a Pod that ended while no agent ran keeps its captures, and other folders are not touched', async () => {
  await using scene = await agentScene();
  await scene.leaveCaptures(folderOfWeb);
  await mkdir(join(scene.captures, 'lost+found'));
  scene.server.script.list.push(list('5', []));
  await using agent = await scene.start();
  await until(async () => (await agent.ask('/readyz')) === '200 ok\n', { what: 'the agent to be ready' });
  await agent.stop();
  expect((await readdir(scene.captures)).toSorted()).toEqual([folderOfWeb, 'lost+found']);
});

test('the captures of an ended Pod are deleted after the retention time, if the Pod does not exist any more', async () => {
  await using scene = await agentScene();
  await scene.leaveCaptures(folderOfWeb);
  scene.server.script.list.push(list('5', []));
  scene.server.script.read.push(refusal(404, 'NotFound'));
  await using _agent = await scene.start(0);
  await until(async () => (await readdir(scene.captures)).length === 0, {
    what: 'the captures to be deleted',
  });
  expect(scene.server.requests.find(({ kind }) => kind === 'read')?.path).toBe(
    '/api/v1/namespaces/default/pods/web',
  );
});

test('a capture continues while the API server is down, and changes take effect afterwards', async () => {
  await using scene = await agentScene();
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted)]));
  await using agent = await scene.start();
  await until(async () => (await agent.ask('/readyz')) === '200 ok\n', { what: 'the capture' });
  const before = await scene.tcpdumps();
  scene.server.script.watch.push(...Array.from({ length: 4 }, () => ({ kind: 'cut' }) as const));
  const first = await scene.server.nextWatch();
  first.cut();
  await until(() => scene.server.script.watch.length === 0, { what: '4 tries', deadlineMs: 30_000 });
  expect(await agent.ask('/readyz')).toBe('200 ok\n');
  expect(await scene.tcpdumps()).toEqual(before);
  const back = await scene.server.nextWatch();
  expect(back.query['resourceVersion']).toBe('5');
  expect(await scene.tcpdumps()).toEqual(before);
  scene.server.objects.set('/api/v1/namespaces/default/pods/web', podObject('web', '9'));
  back.send({ type: 'MODIFIED', object: podObject('web', '9') });
  await until(async () => (await readdir(scene.captures)).length === 0, {
    what: 'the captures to be deleted',
  });
  expect(scene.server.requests.filter(({ kind }) => kind === 'list')).toHaveLength(1);
});

test('a stale relist, in which the Pod is not annotated yet, ends no capture', {
  repeats: 4,
}, async () => {
  await using scene = await agentScene();
  scene.server.script.list.push(
    list('5', [podObject('web', '4', wanted)]),
    list('3', [podObject('web', '2')]),
  );
  scene.server.script.read.push({ kind: 'json', body: podObject('web', '4', wanted) });
  await using agent = await scene.start();
  await until(async () => (await agent.ask('/readyz')) === '200 ok\n', { what: 'the capture' });
  const before = await scene.tcpdumps();
  const first = await scene.server.nextWatch();
  first.send({ type: 'ERROR', object: statusObject(410, 'Expired') });
  const second = await scene.server.nextWatch();
  await until(() => scene.server.requests.some(({ kind }) => kind === 'read'), {
    what: 'the Pod to be read',
  });
  second.send({ type: 'MODIFIED', object: podObject('web', '4', wanted) });
  second.send({ type: 'ADDED', object: podObject('bad', '10', { 'tcpdump.antrea.io': 'x' }) });
  await until(() => scene.eventReasons().includes('InvalidAnnotation'), { what: 'the next change' });
  expect(await scene.tcpdumps()).toEqual(before);
});

test('an agent that starts while the API server is down continues the captures, until a list shows otherwise', {
  repeats: 4,
}, async () => {
  await using scene = await agentScene();
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted)]));
  const before = await scene.start();
  await until(async () => (await before.ask('/readyz')) === '200 ok\n', { what: 'the capture' });
  await before.stop();
  expect(await scene.tcpdumps()).toEqual([]);

  scene.server.script.list.push({ kind: 'silence' });
  await using agent = await scene.start();
  await until(async () => (await scene.tcpdumps()).length === 1, { what: 'the continued capture' });
  expect(await agent.ask('/readyz')).toBe('503 the Pods of this Node are not listed yet\n');
  await until(
    async () => (await readRecord(join(scene.captures, folderOfWeb), 2))?.interfacePackets !== undefined,
    {
      what: 'its record',
    },
  );
  scene.server.script.read.push({ kind: 'json', body: podObject('web', '9') });
  scene.server.script.list.push(list('9', [podObject('web', '9')]));
  scene.server.cutAll();
  await until(async () => (await readdir(scene.captures)).length === 0, {
    what: 'the captures to be deleted',
  });
  expect(await scene.tcpdumps()).toEqual([]);
});

test('without a list a capture still ends with its duration, and other captures are not touched', async () => {
  await using scene = await agentScene();
  const short = podObject('web', '4', { ...wanted, 'podcap.dev/duration': '4s' });
  scene.server.script.list.push(list('5', [short]));
  const before = await scene.start();
  await until(async () => (await before.ask('/readyz')) === '200 ok\n', { what: 'the capture' });
  await before.stop();
  await scene.leaveCaptures('default_db_uid-db');

  scene.server.script.list.push({ kind: 'silence' });
  await using _agent = await scene.start(0);
  await until(async () => (await scene.tcpdumps()).length === 1, { what: 'the continued capture' });
  await until(async () => (await scene.tcpdumps()).length === 0, { what: 'its end' });
  expect(await readdir(scene.captures)).toEqual(expect.arrayContaining([folderOfWeb, 'default_db_uid-db']));
  expect(scene.server.requests.some(({ kind }) => kind === 'read')).toBe(false);
});

test('/metrics shows states, packets, the disk and limits, in the text format', async () => {
  await using scene = await agentScene();
  await scene.leaveCaptures(folderOfWeb, [{ timeUs: 1_700_000_000_000_000, data: Buffer.from('packet') }]);
  scene.server.script.list.push(
    list('5', [podObject('web', '4', wanted), podObject('bad', '5', { 'tcpdump.antrea.io': 'x' })]),
  );
  await using agent = await scene.start();
  const line = async (text: string) => (await agent.ask('/metrics')).includes(`\n${text}\n`);
  await until(() => line('podcap_captures{state="capturing"} 1'), { what: 'the capture' });
  expect(await line('podcap_captures_refused{reason="InvalidAnnotation"} 1')).toBe(true);
  expect(await line('podcap_capture_starts_total 1')).toBe(true);
  expect(await line('podcap_pod_packets_captured_total{namespace="default",pod="web"} 0')).toBe(true);
  const oldest = 'podcap_pod_oldest_packet_timestamp_seconds{namespace="default",pod="web"} 1700000000';
  expect(await line(oldest)).toBe(true);
  expect(await line('podcap_receive_ring_bytes 4194304')).toBe(true);
  expect(await line('podcap_cni_cache_pods 1')).toBe(true);
  expect(await line('podcap_build_info{version="1.2.3"} 1')).toBe(true);
  const helpTexts = (await agent.ask('/metrics')).matchAll(/# HELP (\S+)/g);
  expect([...helpTexts].map(([, name]) => name)).toEqual(metricDescriptions.map(({ name }) => name));
});

describe('a captured Pod, when an older Pod requests capacity that is not available', () => {
  let before: readonly string[];
  let after: readonly string[];

  beforeAll(async () => {
    await using scene = await agentScene({ settings: { diskBudgetMegabytes: 10 } });
    const five = { 'tcpdump.antrea.io': '5' };
    // Created in the same second as far as the API server shows, and first by its UID.
    const older = podObject('old', '6', five);
    scene.server.script.list.push(list('5', [podObject('web', '4', five)]));
    {
      await using _agent = await scene.start();
      await until(() => scene.podEvents().includes('web CaptureStarted'), { what: 'the capture' });
      const watch = await scene.server.nextWatch();
      watch.send({ type: 'ADDED', object: older });
      await until(() => scene.podEvents().length === 2, { what: 'the answer to the older Pod' });
      before = scene.podEvents();
    }
    scene.server.script.list.push(list('6', [podObject('web', '4', five), older]));
    await using _next = await scene.start();
    const eventsSince = () => scene.podEvents().slice(before.length);
    await until(() => eventsSince().some((event) => event.startsWith('web ')), {
      what: 'an Event about the Pod',
    });
    after = eventsSince();
  });

  test('continues to be captured while the agent runs', () => {
    expect(before).toEqual(['web CaptureStarted', 'old OverBudget']);
  });

  test('continues to be captured when the agent restarts', () => {
    expect(after).not.toContain('web OverBudget');
  });
});

function metadataOf(name: string): object {
  const pod = podObject(name, '9');
  return 'metadata' in pod && pod.metadata instanceof Object ? pod.metadata : {};
}
