import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { type ApiServer, list, refusal, statusObject } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { run } from '../testbed/run-program.ts';
import { readRecord } from './storage/capture-records.ts';
import { readRequester } from './storage/requester.ts';
import { agentScene } from './testing/agent-scene.ts';
import { policyObject } from './testing/policy-object.ts';

// The API server is a stand-in, because a real one cannot be made to answer from the past or to be silent on demand.
// Everything else is real.

const annotated = { 'tcpdump.antrea.io': '2' };
const podPath = '/api/v1/namespaces/default/pods/web';
const folderOfWeb = 'default_web_uid-web';
const web = podObject('web', '4');
/** The same Pod with a label that isolates it, as people do. */
const isolated = podObject('web', '6', {}, { app: 'isolated' });
const policy = policyObject('web-crashes');

type Scene = Awaited<ReturnType<typeof agentScene>>;

test('a Pod that a policy selects is captured once Pods and policies are listed', async () => {
  await using scene = await agentScene();
  scene.server.script.policyList.push({ kind: 'silence' }, list('5', [policy]));
  scene.server.script.list.push(list('5', [web]));
  await using agent = await scene.start();
  const missing = '503 the CapturePolicies are not listed yet\n';
  await until(async () => (await agent.ask('/readyz')) === missing, { what: 'the list of Pods' });
  expect(await scene.tcpdumps()).toEqual([]);
  scene.server.cutAll();
  await captured(scene);
  expect(await agent.ask('/readyz')).toBe('200 ok\n');
  expect(scene.events().at(-1)).toContain(
    'CaptureStarted: capturing eth0, keeping the last 5 files of 1 MB on node1, as CapturePolicy web-crashes asks; ',
  );
  expect(await requesterOf(scene)).toEqual({ policy: 'web-crashes' });
});

test('an annotated Pod does not wait for the list of policies', async () => {
  await using scene = await agentScene();
  scene.server.script.policyList.push({ kind: 'silence' });
  scene.server.script.list.push(list('5', [podObject('web', '4', annotated)]));
  await using _agent = await scene.start();
  expect(await captured(scene)).toHaveLength(1);
});

test.each<[what: string, change: (server: ApiServer) => Promise<void>]>([
  [
    'its label changes',
    async (server) => {
      server.objects.set(podPath, isolated);
      (await server.nextWatch()).send({ type: 'MODIFIED', object: isolated });
    },
  ],
  [
    'the policy is deleted',
    async (server) => (await server.nextPolicyWatch()).send({ type: 'DELETED', object: policy }),
  ],
  [
    'the policy selects others',
    async (server) => {
      const object = policyObject('web-crashes', { selector: { matchLabels: { app: 'db' } } });
      (await server.nextPolicyWatch()).send({ type: 'MODIFIED', object });
    },
  ],
  [
    'the CRD is deleted',
    async (server) => {
      server.objects.set('/apis', { kind: 'APIGroupList', groups: [] });
      server.script.policyWatch.push({ kind: 'json', status: 404, body: '404 page not found' });
      (await server.nextPolicyWatch()).end();
    },
  ],
])(
  'when %s, capturing stops, the files stay for the retention time, and are deleted then',
  async (_what, change) => {
    await using scene = await agentScene();
    scene.server.script.list.push(list('5', [web]));
    scene.server.script.policyList.push(list('5', [policy]));
    scene.server.objects.set(podPath, web);
    await using agent = await scene.start(4);
    await captured(scene);
    await change(scene.server);
    await until(() => scene.eventReasons().includes('CaptureStopped'), { what: 'the end of the capture' });
    expect(scene.events().at(-1)).toContain(
      'CaptureStopped: no CapturePolicy asks for it any more, its capture files are kept for the retention time; ',
    );
    expect(await scene.tcpdumps()).toEqual([]);
    expect(await readdir(join(scene.captures, folderOfWeb))).toContain('captres-web.1.pcap000000000');
    expect((await agent.ask('/metrics')).includes('\npodcap_captures{state="ended"} 1\n')).toBe(true);
    await until(async () => (await readdir(scene.captures)).length === 0, { what: 'the deletion' });
    expect(scene.server.requests.map(({ path }) => path)).toContain(podPath);
    expect(scene.server.requests.some(({ kind }) => kind === 'policyRead')).toBe(true);
  },
);

test('when the Pod is selected again, capturing continues in the same folder', async () => {
  await using scene = await agentScene();
  scene.server.script.list.push(list('5', [web]));
  scene.server.script.policyList.push(list('5', [policy]));
  await using _agent = await scene.start();
  await captured(scene);
  const watch = await scene.server.nextWatch();
  watch.send({ type: 'MODIFIED', object: isolated });
  const markPath = join(scene.captures, folderOfWeb);
  await until(async () => (await readdir(markPath)).includes('pod-end.json'), { what: 'the end' });
  watch.send({ type: 'MODIFIED', object: podObject('web', '7') });
  await hasBothCaptures(scene);
  expect(await readdir(markPath)).not.toContain('pod-end.json');
});

test('a Pod that is refused because of its policy is listed as ended once the policy is gone', async () => {
  await using scene = await agentScene();
  scene.server.script.list.push(list('5', [web]));
  scene.server.script.policyList.push(list('5', [policy]));
  await using agent = await scene.start();
  await captured(scene);
  const states = async (line: string) => (await agent.ask('/metrics')).includes(`\n${line}\n`);
  const watch = await scene.server.nextPolicyWatch();
  watch.send({ type: 'MODIFIED', object: policyObject('web-crashes', { files: 1_000 }) });
  await until(() => scene.eventReasons().includes('InvalidPolicy'), { what: 'the refusal' });
  expect(await states('podcap_captures_refused{reason="InvalidPolicy"} 1')).toBe(true);
  watch.send({ type: 'DELETED', object: policy });
  await until(() => states('podcap_captures{state="ended"} 1'), { what: 'the state ended' });
  expect(await states('podcap_captures{state="refused"} 0')).toBe(true);
  expect(await readdir(scene.captures)).toContain(folderOfWeb);
});

/** What has happened to the capture before a policy asks for it. */
const earlier: readonly [what: string, spec: object, before: (scene: Scene) => Promise<unknown>][] = [
  ['is paused', { paused: true }, async () => {}],
  ['has reached its duration', { duration: '1s' }, async () => {}],
  ['is refused', { interfaces: ['none'] }, async () => {}],
  [
    'finds no network',
    {},
    async (scene) => {
      for (const name of await readdir(scene.cache)) await rm(join(scene.cache, name));
      await run(['nsenter', `--net=${scene.netns}`, 'ip', 'link', 'del', 'eth0']);
      await until(async () => (await scene.tcpdumps()).length === 0, { what: 'the end of tcpdump' });
    },
  ],
  [
    'asks for one interface less',
    {},
    async (scene) => {
      await run(['nsenter', `--net=${scene.netns}`, 'ip', 'link', 'set', 'lo', 'up']);
      const watch = scene.server.watches[0];
      for (const interfaces of ['eth0,lo', 'eth0']) {
        const annotations = { ...annotated, 'podcap.dev/interface': interfaces };
        watch?.send({ type: 'MODIFIED', object: podObject('web', '5', annotations) });
        const count = interfaces.split(',').length;
        await until(async () => (await scene.tcpdumps()).length === count, { what: `${count} tcpdumps` });
      }
    },
  ],
];

test.each(earlier)(
  'files that an annotation asked for, and then a policy that %s, stay when that policy is deleted',
  async (_what, spec, before) => {
    await using scene = await agentScene();
    const own = podObject('web', '4', annotated);
    scene.server.script.list.push(list('5', [own]));
    scene.server.script.policyList.push(list('5', []));
    scene.server.objects.set(podPath, own);
    await using _agent = await scene.start();
    await captured(scene);
    const watch = await scene.server.nextWatch();
    await before(scene);
    const policyBy = policyObject('resting', spec);
    const policies = await scene.server.nextPolicyWatch();
    policies.send({ type: 'ADDED', object: policyBy });
    const plain = podObject('web', '7');
    scene.server.objects.set(podPath, plain);
    for (let i = 0; i < 20; i += 1) scene.server.script.policyRead.push(list('6', [policyBy]));
    watch.send({ type: 'MODIFIED', object: plain });
    await until(async () => (await requesterOf(scene)).policy === 'resting', { what: 'the requester' });
    const isResting = Object.keys(spec).length > 0;
    if (isResting)
      await until(async () => (await scene.tcpdumps()).length === 0, { what: 'the end of the capture' });
    scene.server.script.policyRead.splice(0);
    policies.send({ type: 'DELETED', object: policyBy });
    await until(async () => (await readdir(join(scene.captures, folderOfWeb))).includes('pod-end.json'), {
      what: 'the beginning of the retention time',
    });
    expect(await readdir(join(scene.captures, folderOfWeb))).toContain('captres-web.1.pcap000000000');
  },
);

test.each(['annotation', 'policy'])('an agent ends although the filter of its %s is refused', async (by) => {
  await using scene = await agentScene();
  const filter = 'tcp (';
  const isByPolicy = by === 'policy';
  const pod = isByPolicy ? web : podObject('web', '4', { ...annotated, 'podcap.dev/filter': filter });
  scene.server.script.list.push(list('5', [pod]));
  scene.server.script.policyList.push(list('5', isByPolicy ? [policyObject('p', { filter })] : []));
  const agent = await scene.start();
  await until(() => scene.eventReasons().includes('InvalidFilter'), { what: 'the refusal' });
  await agent.stop();
  expect(await scene.tcpdumps()).toEqual([]);
});

test('a stale list without the policy deletes nothing, and capturing continues with the next one', async () => {
  await using scene = await agentScene();
  scene.server.script.list.push(list('5', [web]));
  scene.server.script.policyList.push(list('5', [policy]), list('3', []));
  scene.server.objects.set(podPath, web);
  // Without retention, deletion is due at once.
  await using _agent = await scene.start(0);
  await captured(scene);
  for (let i = 0; i < 20; i += 1) scene.server.script.policyRead.push(list('5', [policy]));
  (await scene.server.nextPolicyWatch()).send({ type: 'ERROR', object: statusObject(410, 'Expired') });
  const next = await scene.server.nextPolicyWatch();
  await until(() => scene.server.requests.some(({ kind }) => kind === 'policyRead'), {
    what: 'the question whether the captures may be deleted',
  });
  next.send({ type: 'ADDED', object: policy });
  await hasBothCaptures(scene);
  expect(await scene.tcpdumps()).toHaveLength(1);
});

test('when its annotation is removed, a Pod that a policy selects is captured on by the same tcpdump', async () => {
  await using scene = await agentScene();
  const own = podObject('web', '4', { 'tcpdump.antrea.io': '5' });
  scene.server.script.list.push(list('5', [own]));
  scene.server.script.policyList.push(list('5', [policy]));
  await using _agent = await scene.start();
  await captured(scene);
  const before = await scene.tcpdumps();
  expect(await requesterOf(scene)).toEqual({ policy: undefined });
  (await scene.server.nextWatch()).send({ type: 'MODIFIED', object: podObject('web', '6') });
  await until(async () => (await requesterOf(scene)).policy === 'web-crashes', { what: 'the requester' });
  expect(await scene.tcpdumps()).toEqual(before);
  // Without the policy, they are files of a policy then.
  (await scene.server.nextPolicyWatch()).send({ type: 'DELETED', object: policy });
  await until(() => scene.eventReasons().includes('CaptureStopped'), { what: 'the end' });
  expect(scene.events().at(-1)).toContain('no CapturePolicy asks for it any more');
  expect(await readdir(scene.captures)).toContain(folderOfWeb);
});

test('an agent that starts while the API server is away continues what policies asked for', async () => {
  await using scene = await agentScene();
  scene.server.script.list.push(list('5', [web]));
  scene.server.script.policyList.push(list('5', [policy]));
  const before = await scene.start();
  await captured(scene);
  await before.stop();

  scene.server.script.list.push({ kind: 'silence' });
  scene.server.script.policyList.push({ kind: 'silence' });
  await using _agent = await scene.start();
  await until(async () => (await scene.tcpdumps()).length === 1, { what: 'the continued capture' });
  await until(async () => (await recordOf(scene, 2))?.interfacePackets !== undefined, { what: 'its record' });
  // The policy was deleted meanwhile.
  scene.server.script.list.push(list('9', [web]));
  scene.server.script.policyList.push(list('9', []));
  scene.server.cutAll();
  await until(() => scene.eventReasons().includes('CaptureStopped'), { what: 'the end of the capture' });
  expect(await readdir(scene.captures)).toContain(folderOfWeb);
});

test('without the CRD annotated Pods are captured, and the agent is ready', async () => {
  await using scene = await agentScene();
  scene.server.objects.set('/apis', { kind: 'APIGroupList', groups: [] });
  scene.server.script.policyList.push({ kind: 'json', status: 404, body: '404 page not found' });
  scene.server.script.list.push(list('5', [podObject('web', '4', annotated)]));
  await using agent = await scene.start();
  expect(await captured(scene)).toHaveLength(1);
  await until(async () => (await agent.ask('/readyz')) === '200 ok\n', {
    what: 'the agent to be ready',
    deadlineMs: 20_000,
  });
});

test('a removed annotation ends the capture although the version of the CRD is not served', async () => {
  await using scene = await agentScene();
  const groups = [{ name: 'policy.podcap.dev', versions: [{ version: 'v1' }] }];
  scene.server.objects.set('/apis', { kind: 'APIGroupList', groups });
  const notFound = { kind: 'json', status: 404, body: '404 page not found' } as const;
  for (let i = 0; i < 100; i += 1) {
    scene.server.script.policyList.push(notFound);
    scene.server.script.policyRead.push(notFound);
  }
  scene.server.script.list.push(list('5', [podObject('web', '4', annotated)]));
  await using agent = await scene.start();
  await captured(scene);
  await until(async () => (await agent.ask('/readyz')) === '200 ok\n', {
    what: 'the agent to be ready',
    deadlineMs: 20_000,
  });
  scene.server.objects.set(podPath, web);
  (await scene.server.nextWatch()).send({ type: 'MODIFIED', object: web });
  await until(async () => (await readdir(scene.captures)).length === 0, { what: 'the deletion' });
  expect(await scene.tcpdumps()).toEqual([]);
});

test('an agent that may not list policies captures by annotation, and deletes with it', async () => {
  await using scene = await agentScene();
  const forbidden = refusal(403, 'Forbidden');
  for (let i = 0; i < 4; i += 1) scene.server.script.policyList.push(forbidden);
  scene.server.script.policyRead.push(forbidden);
  scene.server.script.list.push(list('5', [podObject('web', '4', annotated)]));
  scene.server.objects.set(podPath, web);
  await using agent = await scene.start();
  await captured(scene);
  await until(async () => (await agent.ask('/readyz')) === '200 ok\n', {
    what: 'the agent to be ready',
    deadlineMs: 20_000,
  });
  (await scene.server.nextWatch()).send({ type: 'MODIFIED', object: web });
  await until(async () => (await readdir(scene.captures)).length === 0, { what: 'the deletion' });
  expect(await scene.tcpdumps()).toEqual([]);
});

test('an agent that may not list policies any more continues what they asked for', async () => {
  await using scene = await agentScene();
  scene.server.script.list.push(list('5', [web]));
  scene.server.script.policyList.push(list('5', [policy]));
  const before = await scene.start();
  await captured(scene);
  await before.stop();

  for (let i = 0; i < 4; i += 1) scene.server.script.policyList.push(refusal(403, 'Forbidden'));
  scene.server.script.list.push(list('9', [web]));
  await using agent = await scene.start(0);
  await until(async () => (await agent.ask('/readyz')) === '200 ok\n', {
    what: 'the continued capture',
    deadlineMs: 20_000,
  });
  expect(await scene.tcpdumps()).toHaveLength(1);
  expect(await recordOf(scene, 2)).toBeDefined();
  expect(await requesterOf(scene)).toEqual({ policy: 'web-crashes' });
});

/** Waits until the Pod is captured, and returns the tcpdumps. */
async function captured(scene: Scene): Promise<readonly number[]> {
  await until(() => scene.eventReasons().includes('CaptureStarted'), { what: 'the capture' });
  return await scene.tcpdumps();
}

async function hasBothCaptures({ captures }: Scene): Promise<void> {
  const both = ['captres-web.1.pcap000000000', 'captres-web.2.pcap000000000'];
  await until(
    async () => {
      const files = await readdir(join(captures, folderOfWeb));
      return both.every((file) => files.includes(file));
    },
    { what: 'a second capture in the same folder' },
  );
}

async function requesterOf({ captures }: Scene) {
  return await readRequester(join(captures, folderOfWeb));
}

async function recordOf({ captures }: Scene, generation: number) {
  return await readRecord(join(captures, folderOfWeb), generation);
}
