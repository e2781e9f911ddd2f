import { readdir } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import { happens, until } from '../base/until.ts';
import { list } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { agentScene } from './testing/agent-scene.ts';

const wanted = { 'tcpdump.antrea.io': '2' };
const pathOfWeb = '/api/v1/namespaces/default/pods/web';
const folderOfWeb = 'default_web_uid-web';
/** Captures are deleted within 0.1 s of a removed annotation, unless the machine is busy. */
const withinMs = 5_000;

let observed: Awaited<ReturnType<typeof observe>>;
beforeAll(async () => {
  observed = await observe();
});

test('the Pod is read at the first removal, and is annotated again', () => {
  expect(observed.readsAtFirst).toBe(1);
  expect(observed.before).toContain(folderOfWeb);
});

test('an annotation that is removed, set and removed again while the Pod is read deletes the captures', () => {
  expect(observed.isDeleted).toBe(true);
});

async function observe() {
  await using scene = await agentScene();
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted)]));
  // The first read finds it annotated again, later ones do not.
  scene.server.script.read.push({ kind: 'json', body: podObject('web', '7', wanted) });
  scene.server.objects.set(pathOfWeb, podObject('web', '8'));
  await using _agent = await scene.start();
  await until(() => scene.eventReasons().includes('CaptureStarted'), { what: 'the capture' });
  const watch = await scene.server.nextWatch();
  const before = await readdir(scene.captures);

  watch.send({ type: 'MODIFIED', object: podObject('web', '6') });
  const reads = () => scene.server.requests.filter(({ path }) => path === pathOfWeb).length;
  await until(() => reads() > 0, { what: 'the Pod to be read' });
  const readsAtFirst = reads();
  // In one segment, as TCP delivers them to a busy agent: after the plan for db, a single plan is made for both of web.
  const changes = [podObject('db', '7'), podObject('web', '7', wanted), podObject('web', '8')];
  watch.bytes(changes.map((object) => `${JSON.stringify({ type: 'MODIFIED', object })}\n`).join(''));

  const isDeleted = async () => !(await readdir(scene.captures)).includes(folderOfWeb);
  return { readsAtFirst, before, isDeleted: await happens(isDeleted, { withinMs }) };
}
