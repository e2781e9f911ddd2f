import * as v from 'valibot';
import { expect } from 'vitest';
import { framesMediaType } from '../../src/api/stream-frames.ts';
import { until } from '../../src/base/until.ts';
import { lines } from '../../src/kubernetes/split-lines.ts';
import { capturesPath } from '../support/capture-requests.ts';
import { capturedPod, sendCaptured } from '../support/captured-pod.ts';
import { range } from '../support/consecutive.ts';
import { hubRolledOut, killHub, startHubRollout, waitForHubs } from '../support/hub-pods.ts';
import { test as hubTest } from '../support/hub-test.ts';
import { listedCaptures } from '../support/informed-captures.ts';
import { numbersInCapture } from '../support/numbers-in-capture.ts';
import { persistently } from '../support/persistently.ts';
import { idle } from '../support/pod-manifests.ts';
import { tcpdumpsOf } from '../support/pod-processes.ts';
import { printFigures } from '../support/print-figures.ts';
import { readFramedCapture, WrongBytes } from '../support/read-stream-frames.ts';
import { kubectl } from '../support/run-kubectl.ts';
import { waitForTaps } from '../support/tap-processes.ts';

const datagrams = 2_000;
const streams = 20;
const watches = 50;
/** Under this load, a list takes seconds: so many at once that enough of them fall into the update. */
const listers = 10;
const leastLists = 20;

const test = hubTest.extend('recorded', { scope: 'file' }, async ({ cluster, receiver }) => {
  const pod = await capturedPod(cluster, 'web');
  await sendCaptured(cluster, pod, { receiver, count: datagrams, bytes: 1_000 });
  return pod;
});

test(`an update of the hub under ${streams} downloads, ${streams} live captures and ${watches} watches: no byte is wrong, and the API answers throughout`, async ({
  cluster,
  recorded,
  requests,
}) => {
  const { namespace } = cluster;
  const path = `${capturesPath(namespace)}/${recorded.name}`;
  await waitForHubs(2);
  const expected = range(0, datagrams).join();
  const open = async (
    target: string,
    signal: AbortSignal,
    { accept = framesMediaType, user = 'reader' } = {},
  ) => {
    const headers = { 'impersonate-user': user, 'impersonate-group': 'system:masters' };
    const answer = await requests.send(target, { accept, headers });
    signal.addEventListener('abort', () => answer.body.destroy(), { once: true });
    if (answer.status !== 200) throw new Error(`refused: ${answer.status}`);
    return answer;
  };
  const all = capturesPath(namespace);
  const accept = 'application/json';
  await using downloads = persistently(streams, async (signal) => {
    using answer = await open(`${path}/log`, signal);
    const { bytes } = await readFramedCapture(answer.body);
    const numbers = await numbersInCapture(bytes);
    if (numbers.join() !== expected) throw new WrongBytes(`${numbers.length} datagrams`);
  });
  // Half of them on each Node, which has a bound of its own; as users of their own: a user has 30 streams at most.
  await cluster.start(idle({ name: 'shown', node: 'node2' }));
  let tapped = 0;
  await using taps = persistently(streams, async (signal) => {
    tapped += 1;
    const name = tapped % 2 === 0 ? recorded.name : 'shown';
    const user = `viewer-${tapped % streams}`;
    using answer = await open(`${all}/${name}/attach`, signal, { user });
    await readFramedCapture(answer.body);
  });
  /** Watches that are open, each with the captures that it knows. */
  const known = new Set<Set<string>>();
  await using watching = persistently(watches, async (signal) => {
    using answer = await open(`${all}?watch=true`, signal, { accept });
    const names = new Set<string>();
    known.add(names);
    try {
      for await (const event of watchEvents(answer.body)) names.add(event.object.metadata.name);
    } finally {
      known.delete(names);
    }
  });
  await using lists = persistently(listers, async (signal) => {
    using answer = await open(all, signal, { accept });
    await answer.bytes();
  });
  const hubs = await waitForHubs(2);
  await until(() => downloads.counts().complete > streams, { what: 'downloads', deadlineMs: 60_000 });
  const before = lists.counts();
  await startHubRollout();
  await hubRolledOut();
  await waitForHubs(2, hubs);
  const during = lists.counts();
  const { complete } = downloads.counts();
  await until(() => downloads.counts().complete > complete + streams, {
    what: 'downloads',
    deadlineMs: 60_000,
  });
  await waitForTaps(streams, { deadlineMs: 60_000 });
  const later = await capturedPod(cluster, 'later');
  await until(() => [...known].filter((names) => names.has(later.name)).length === watches, {
    what: `all ${watches} watches to know of a new capture`,
    deadlineMs: 60_000,
  });
  printFigures('update of the hub', {
    downloads: downloads.counts(),
    taps: taps.counts(),
    watches: watching.counts(),
    listsDuring: during.complete - before.complete,
    listsFailed: during.failed - before.failed,
  });
  expect([downloads.wrong(), taps.wrong(), watching.wrong()]).toEqual([[], [], []]);
  expect(during.failed - before.failed).toBe(0);
  expect(during.complete - before.complete).toBeGreaterThanOrEqual(leastLists);
});

test('with both replicas killed, captures go on, and the API is back within a minute; agents do not notice', async ({
  cluster,
  receiver,
}) => {
  const { namespace } = cluster;
  const pod = await capturedPod(cluster, 'unimpressed');
  const tcpdumps = await tcpdumpsOf(pod);
  const outagesMs: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const hubs = await waitForHubs(2);
    await Promise.all(hubs.map(killHub));
    const since = performance.now();
    await sendCaptured(cluster, pod, { receiver, first: round * 50, count: 50 });
    const answers = async () => 'unimpressed' in (await listedCaptures(namespace));
    await until(() => answers().catch(() => false), { what: 'the API', deadlineMs: 120_000, everyMs: 100 });
    outagesMs.push(Math.round(performance.now() - since));
    // A container that dies often is started ever later: new Pods take their place.
    const now = ['--grace-period=0', '--force', '--wait=false'];
    await kubectl('-n', 'kube-system', 'delete', 'pod', ...hubs.map(({ name }) => name), ...now);
    await waitForHubs(2, hubs);
  }
  printFigures('both replicas killed', { outagesMs });
  expect(await tcpdumpsOf(pod)).toEqual(tcpdumps);
  expect(Math.max(...outagesMs)).toBeLessThan(60_000);
});

test('a namespace that is deleted while both replicas are away is gone once they are back', async ({
  cluster,
}) => {
  const hubs = await waitForHubs(2);
  await kubectl('create', 'namespace', `${cluster.namespace}-gone`);
  await Promise.all(hubs.map(killHub));
  await kubectl('delete', 'namespace', `${cluster.namespace}-gone`, '--timeout=110s');
  await waitForHubs(2);
  await cluster.start(idle({ name: 'after', node: 'node1' }));
});

const eventSchema = v.object({
  type: v.picklist(['ADDED', 'MODIFIED', 'DELETED']),
  object: v.object({ metadata: v.object({ name: v.string() }) }),
});

/** The events of a watch; throws WrongBytes on a line that is none. */
async function* watchEvents(body: AsyncIterable<Buffer>): AsyncGenerator<v.InferOutput<typeof eventSchema>> {
  for await (const line of lines(body, 1024 * 1024)) {
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), eventSchema), line);
    if (!parsed.success) throw new WrongBytes(`an event that is none: ${line.slice(0, 200)}`);
    yield parsed.output;
  }
}
