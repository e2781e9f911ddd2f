import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { list } from '../../kubernetes/testing/api-server.ts';
import { podObject } from '../../kubernetes/testing/pod-object.ts';
import { agentScene } from '../testing/agent-scene.ts';
import { followReports } from './testing/followed-reports.ts';
import { hubScene, hubService } from './testing/hub-scene.ts';

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
  expect(capturing).toEqual({
    namespace: 'default',
    name: 'web',
    uid: 'uid-web',
    labels,
    status: {
      phase: 'Capturing',
      phaseSince: expect.any(String),
      startTime: expect.any(String),
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
