import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { list } from '../../kubernetes/testing/api-server.ts';
import { podObject } from '../../kubernetes/testing/pod-object.ts';
import { countersLineSchema } from '../../link/protocol.ts';
import { agentScene } from '../testing/agent-scene.ts';
import { type FollowedReports, followReports, followStream } from './testing/followed-reports.ts';
import { hubScene, hubService } from './testing/hub-scene.ts';
import type { TestHubLink } from './testing/test-hub.ts';

const wanted = { 'tcpdump.antrea.io': '2', 'podcap.dev/filter': 'udp' };
const labels = { app: 'web', tier: 'front' };

test('what is captured is reported to every hub, and what becomes of it', async () => {
  await using scene = await agentScene();
  await using hubs = await hubScene(scene.server);
  const [one, two] = [await hubs.startHub(), await hubs.startHub()];
  hubs.list(one, two);
  const refused = { 'tcpdump.antrea.io': 'x' };
  scene.server.script.list.push(
    list('5', [podObject('web', '4', wanted, labels), podObject('bad', '4', refused)]),
  );
  const hub = { hub: hubService, hubTokenFile: hubs.tokenFile };
  await using _agent = await scene.start(3_600, hub);
  const [reports, others] = [followReports(await one.link()), followReports(await two.link())];
  const capturing = await reports.inPhase('uid-web', 'Capturing');
  expect(capturing).toMatchObject({
    namespace: 'default',
    name: 'web',
    uid: 'uid-web',
    labels,
    status: {
      phase: 'Capturing',
      phaseSince: expect.any(String),
      startTime: expect.any(String),
      podCreationTime: expect.any(String),
      interfaces: ['eth0'],
      requested: { files: 2, fileMegabytes: 1, filter: 'udp' },
      requestedBy: { kind: 'Annotation' },
      files: expect.any(Number),
      bytes: expect.any(Number),
    },
  });
  const bad = await others.inPhase('uid-bad', 'Refused');
  expect(bad.status.reason).toBe('InvalidAnnotation');
  await until(() => reports.isSynced() && others.isSynced(), { what: 'everything to be reported' });
  const watch = await scene.server.nextWatch();
  watch.send({
    type: 'MODIFIED',
    object: podObject('web', '6', { ...wanted, 'podcap.dev/paused': 'true' }, labels),
  });
  const paused = await others.inPhase('uid-web', 'Paused');
  // Counted when it ended, although no hub has asked.
  expect(paused.status).toMatchObject({ dropped: 0, lostAtStop: 0, missed: expect.any(Number) });
  expect(paused.status.startTime).toBe(capturing.status.startTime);
  expect(paused.status.phaseSince > capturing.status.phaseSince).toBe(true);
  const unasked = podObject('web', '7', {}, labels);
  scene.server.objects.set('/api/v1/namespaces/default/pods/web', unasked);
  watch.send({ type: 'MODIFIED', object: unasked });
  await until(() => reports.lines.some(({ kind }) => kind === 'deleted'), { what: 'the deletion' });
  // A hub that connects later is told, too.
  const later = followReports(await one.link());
  await until(() => later.isSynced(), { what: 'everything to be reported' });
  expect(later.lines).toContainEqual(expect.objectContaining({ kind: 'deleted', uid: 'uid-web' }));
});

test('a hub that starts together with the next agent is told what the one before has deleted', async () => {
  await using scene = await agentScene();
  await using hubs = await hubScene(scene.server);
  const settings = { hub: hubService, hubTokenFile: hubs.tokenFile };
  const unasked = podObject('web', '6', {}, labels);
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted, labels)]));
  {
    const first = await hubs.startHub();
    hubs.list(first);
    await using _agent = await scene.start(3_600, settings);
    const reports = followReports(await first.link());
    await reports.inPhase('uid-web', 'Capturing');
    scene.server.objects.set('/api/v1/namespaces/default/pods/web', unasked);
    (await scene.server.nextWatch()).send({ type: 'MODIFIED', object: unasked });
    await until(() => reports.lines.some(({ kind }) => kind === 'deleted'), { what: 'the deletion' });
  }
  const second = await hubs.startHub();
  hubs.list(second);
  scene.server.script.list.push(list('7', [unasked]));
  await using _agent = await scene.start(3_600, settings);
  const reports = followReports(await second.link());
  await until(() => reports.isSynced(), { what: 'everything to be reported' });
  expect(reports.lines).toContainEqual(
    expect.objectContaining({ kind: 'deleted', namespace: 'default', name: 'web', uid: 'uid-web' }),
  );
});

test('counters are asked of a running tcpdump, and those of all recordings and of one are alike', async () => {
  await using scene = await agentScene();
  await using hubs = await hubScene(scene.server);
  const hub = await hubs.startHub();
  hubs.list(hub);
  const asked = { 'tcpdump.antrea.io': '2' };
  scene.server.script.list.push(
    list('5', [podObject('web', '4', asked), podObject('bad', '4', { 'tcpdump.antrea.io': 'x' })]),
  );
  await using _agent = await scene.start(3_600, { hub: hubService, hubTokenFile: hubs.tokenFile });
  const link = await hub.link();
  await followReports(link).inPhase('uid-web', 'Capturing');
  await scene.testbed.sendDatagrams({ count: 20 });
  const counted = await until(
    async () => {
      const lines = await countersOn(link);
      return (lines.get('uid-web')?.packets ?? 0) >= 20 && lines;
    },
    { what: 'the packets to be counted', deadlineMs: 8_000 },
  );
  expect(counted.get('uid-bad')).toEqual({ files: 0, bytes: 0, packets: 0, dropped: 0 });
  const web = counted.get('uid-web');
  expect(web).toMatchObject({ files: 1, dropped: 0, lostAtStop: 0, missed: expect.any(Number) });
  expect([...(await countersOn(link, 'uid-web')).keys()]).toEqual(['uid-web']);
  expect([...(await countersOn(link, 'uid-other')).keys()]).toEqual([]);
  // They are written within a second or two.
  const { firstPacketTime = '', lastPacketTime = '' } = await until(
    async () => {
      const now = (await countersOn(link, 'uid-web')).get('uid-web');
      return now?.lastPacketTime !== undefined && now;
    },
    { what: 'the packets to be written' },
  );
  expect(firstPacketTime <= lastPacketTime).toBe(true);
});

async function countersOn(link: TestHubLink, uid?: string) {
  const { status, text } = await link.ask(`/v1/counters${uid === undefined ? '' : `?uid=${uid}`}`);
  expect(status).toBe(200);
  const lines = text.split('\n').filter((line) => line !== '');
  const parsed = lines.map((line) => v.parse(countersLineSchema, JSON.parse(line)));
  return new Map(parsed.map((each) => [each.uid, each.counters]));
}

test('labels, the request and the times outlive the agent and the Pod', async () => {
  await using scene = await agentScene();
  await using hubs = await hubScene(scene.server);
  const hub = await hubs.startHub();
  hubs.list(hub);
  const settings = { hub: hubService, hubTokenFile: hubs.tokenFile };
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted, labels)]));
  const first = await scene.start(3_600, settings);
  const before = await followReports(await hub.link()).inPhase('uid-web', 'Capturing');
  const note = join(scene.captures, 'default_web_uid-web', 'recording.json');
  await until(async () => (await readFile(note, 'utf8').catch(() => '')).includes('front'), {
    what: 'the note to be written',
  });
  await first.stop();
  scene.server.script.list.push(list('6', [podObject('web', '5', wanted, labels)]));
  const second = await scene.start(3_600, settings);
  const reports = followReports(await hub.link());
  const again = await reports.inPhase('uid-web', 'Capturing');
  expect(again.status.startTime).toBe(before.status.startTime);
  expect(again.status.phaseSince).toBe(before.status.phaseSince);
  await until(() => reports.isSynced(), { what: 'everything to be reported' });
  // It was never reported as something else meanwhile.
  expect(phasesOf(reports)).toEqual(['Capturing']);
  await second.stop();
  scene.server.script.list.push(list('7', []));
  await using _third = await scene.start(3_600, settings);
  const ended = await followReports(await hub.link()).inPhase('uid-web', 'Ended');
  expect(ended.labels).toEqual(labels);
  expect(ended.status).toMatchObject({
    reason: 'PodEnded',
    startTime: before.status.startTime,
    podCreationTime: before.status.podCreationTime,
    requested: { files: 2, fileMegabytes: 1, filter: 'udp' },
  });
  expect(ended.status.phaseSince > before.status.phaseSince).toBe(true);
});

test('what is deleted because it was not wanted any more when the agent started is told as deleted', async () => {
  await using scene = await agentScene();
  await using hubs = await hubScene(scene.server);
  const hub = await hubs.startHub();
  hubs.list(hub);
  const settings = { hub: hubService, hubTokenFile: hubs.tokenFile };
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted, labels)]));
  const first = await scene.start(3_600, settings);
  await followReports(await hub.link()).inPhase('uid-web', 'Capturing');
  await until(async () => (await readdir(scene.captures)).length > 0, { what: 'the folder' });
  await first.stop();
  const unasked = podObject('web', '6', {}, labels);
  scene.server.objects.set('/api/v1/namespaces/default/pods/web', unasked);
  scene.server.script.list.push(list('6', [unasked]));
  await using _second = await scene.start(3_600, settings);
  const reports = followReports(await hub.link());
  await until(() => reports.lines.some((line) => line.kind === 'deleted' && line.uid === 'uid-web'), {
    what: 'the deletion to be told',
  });
  expect(reports.of('uid-web')).toBeUndefined();
});

test('a hub that reads nothing delays no other, and gets the newest state when it reads', async () => {
  await using scene = await agentScene();
  await using hubs = await hubScene(scene.server);
  const [one, two] = [await hubs.startHub(), await hubs.startHub()];
  hubs.list(one, two);
  const refused = (name: string) => podObject(name, '4', { 'tcpdump.antrea.io': 'x' }, manyLabels);
  const others = Array.from({ length: 60 }, (_, at) => refused(`bad${at}`));
  scene.server.script.list.push(list('5', [...others, podObject('web', '4', wanted, labels)]));
  await using _agent = await scene.start(3_600, { hub: hubService, hubTokenFile: hubs.tokenFile });
  const link = await one.link();
  // More than a window is waiting for this hub.
  const stalled = link.open('/v1/reports');
  await once(stalled, 'response');
  const reports = followReports(await two.link());
  await reports.inPhase('uid-web', 'Capturing');
  await until(() => reports.isSynced(), { what: 'everything to be reported' });
  const watch = await scene.server.nextWatch();
  for (const [version, isPaused] of [true, false, true].entries()) {
    const annotations = isPaused ? { ...wanted, 'podcap.dev/paused': 'true' } : wanted;
    watch.send({ type: 'MODIFIED', object: podObject('web', `${6 + version}`, annotations, labels) });
    await reports.inPhase('uid-web', isPaused ? 'Paused' : 'Capturing');
  }
  const late = followStream(stalled);
  await late.inPhase('uid-web', 'Paused');
  await until(() => late.isSynced(), { what: 'the rest to be read' });
  // What it has not read in time was never sent.
  expect(phasesOf(late)).toEqual(['Paused']);
});

test('a tcpdump that does not answer delays the counters by half a second', async () => {
  await using scene = await agentScene();
  await using hubs = await hubScene(scene.server);
  const hub = await hubs.startHub();
  hubs.list(hub);
  scene.server.script.list.push(list('5', [podObject('web', '4', { 'tcpdump.antrea.io': '2' })]));
  await using _agent = await scene.start(3_600, { hub: hubService, hubTokenFile: hubs.tokenFile });
  const link = await hub.link();
  await followReports(link).inPhase('uid-web', 'Capturing');
  const [pid = 0] = await scene.tcpdumps();
  process.kill(pid, 'SIGSTOP');
  try {
    const startMs = performance.now();
    expect((await countersOn(link)).get('uid-web')).toMatchObject({ files: 1, dropped: 0 });
    // Ten seconds are the deadline of everything else that asks tcpdump.
    expect(performance.now() - startMs).toBeLessThan(5_000);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
});

test('without a hub, nothing is dialled or written down', async () => {
  await using scene = await agentScene();
  await using hubs = await hubScene(scene.server);
  const hub = await hubs.startHub();
  hubs.list(hub);
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted)]));
  await using agent = await scene.start();
  await until(() => scene.eventReasons().includes('CaptureStarted'), { what: 'the capture' });
  expect(await agent.ask('/metrics')).toContain('podcap_hub_endpoints 0\n');
  expect(hub.links).toEqual([]);
  expect(hubs.slices.queries).toEqual([]);
  expect(await readdir(join(scene.captures, 'default_web_uid-web'))).not.toContain('recording.json');
});

/** A line of a kilobyte for each Pod: 60 of them are more than a stream of the test's hub takes unread. */
const manyLabels = Object.fromEntries(
  Array.from({ length: 250 }, (_, at) => [`label-${at}`, 'x'.repeat(40)]),
);

function phasesOf(reports: FollowedReports): string[] {
  return reports.lines.flatMap((line) =>
    line.kind === 'recording' && line.recording.uid === 'uid-web' ? [line.recording.status.phase] : [],
  );
}
