import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { listCommand } from '../commands/list.ts';
import { list } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { agentScene } from './testing/agent-scene.ts';

const wanted = { 'tcpdump.antrea.io': '2' };
const onHost = podObject('on-host', '4', wanted);
const statesOfAll = [
  'bad refused InvalidAnnotation',
  'new waiting WaitingForNetwork',
  'on-host refused HostNetwork',
  'web capturing',
];

test('podcap list has the state and the reason of each Pod as the Events and metrics have it', async () => {
  await using scene = await agentScene();
  const web = podObject('web', '4', wanted);
  const others = [
    podObject('new', '4', wanted),
    podObject('bad', '4', { 'tcpdump.antrea.io': 'x' }),
    { ...onHost, spec: { nodeName: 'node1', hostNetwork: true, containers: [] } },
  ];
  scene.server.script.list.push(list('5', [web, ...others]));
  await using agent = await scene.start();
  await until(async () => (await listed(scene.captures)).join() === statesOfAll.join(), {
    what: 'all states',
  });
  const line = async (text: string) => (await agent.ask('/metrics')).includes(`\n${text}\n`);
  const counts = { capturing: 1, waiting: 1, failed: 0, refused: 2, ended: 0 };
  for (const [state, count] of Object.entries(counts))
    expect(await line(`podcap_captures{state="${state}"} ${count}`)).toBe(true);
  await until(() => scene.podEvents().length >= 3, { what: 'the Events' });
  expect(scene.podEvents().toSorted()).toEqual([
    'bad InvalidAnnotation',
    'on-host HostNetwork',
    'web CaptureStarted',
  ]);

  (await scene.server.nextWatch()).send({ type: 'DELETED', object: web });
  await scene.testbed.exec('pod', ['ip', 'link', 'delete', 'eth0']);
  await until(async () => (await listed(scene.captures)).includes('web ended PodEnded'), {
    what: 'the end of the Pod',
    deadlineMs: 20_000,
    everyMs: 100,
  });
  await agent.stop();
  // Nobody in this container says anything any more; the record has the end of the Pod.
  expect(await listed(scene.captures)).toContain('web ended PodEnded');
});

test('what a stopped agent captured is not called capturing', async () => {
  await using scene = await agentScene();
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted)]));
  await using agent = await scene.start();
  await until(async () => (await listed(scene.captures)).join() === 'web capturing', { what: 'the capture' });
  await agent.stop();
  expect(await listed(scene.captures)).toEqual(['web unknown NoAgent']);
});

/** What `podcap list` prints of each Pod: its name, state and reason. */
async function listed(captures: string): Promise<string[]> {
  const stdout = new PassThrough();
  const output = stdout.toArray();
  await listCommand(['-o', 'json', '--captures-folder', captures], {
    env: {},
    stdout,
    stderr: new PassThrough(),
  });
  stdout.end();
  const found: { pod: string; state: string; reason?: string }[] = JSON.parse(
    Buffer.concat(await output).toString(),
  );
  return found.map(({ pod, state, reason }) => [pod, state, reason].filter(Boolean).join(' '));
}
