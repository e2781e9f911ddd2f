import { describe, expect, test } from 'vitest';
import type { CaptureRecording } from '../../api/capture.ts';
import type { TargetPod, Targets } from '../api/targets.ts';
import { cliTerminal } from '../testing/cli-terminal.ts';
import { startPods } from './start-pods.ts';
import { captureOf, givenArguments, recording, targetPod } from './testing/request-objects.ts';
import { type RequestScene, type RequestSceneOptions, requestScene } from './testing/request-scene.ts';
import { wantedCapture } from './wanted-capture.ts';

const files = 'tcpdump.antrea.io';
const timing = { deadlineMs: 60_000, settleMs: 1 };

type Start = {
  readonly targets?: Targets;
  readonly options?: Record<string, string>;
  readonly overwrite?: boolean;
  readonly deadlineMs?: number;
};

async function start(
  scene: RequestScene,
  { targets, options = {}, overwrite = false, deadlineMs }: Start = {},
) {
  const { terminal, stdout } = cliTerminal();
  const wanted = wantedCapture(givenArguments([], options));
  const asked = { targets: targets ?? { kind: 'pods', names: [...scene.pods.keys()] }, wanted, overwrite };
  const context = { terminal, signal: new AbortController().signal };
  const end = await startPods(asked, scene.cluster, context, {
    ...timing,
    ...(deadlineMs && { deadlineMs }),
  });
  return { ...end, lines: stdout().trimEnd().split('\n') };
}

/** An agent that captures what is asked for, or refuses it. */
function answering(more: Partial<CaptureRecording> = {}) {
  return ({ name, uid, annotations }: TargetPod, scene: RequestScene) => {
    const requested = { files: Number(annotations[files]), fileMegabytes: 1 };
    scene.setCapture(captureOf(name, [recording({ uid, requested, ...more })]));
  };
}

const patches = ({ requests }: RequestScene) => requests.filter(({ method }) => method === 'PATCH');

describe('start', () => {
  test('asks each Pod with one patch, and prints what its agent answers', async () => {
    const onChange: RequestSceneOptions['onChange'] = (pod, scene) =>
      pod.name === 'web'
        ? answering()(pod, scene)
        : answering({ phase: 'Refused', reason: 'NoSuchInterface', message: 'no lo\u001b[31m' })(pod, scene);
    await using scene = await requestScene({ pods: [targetPod(), targetPod({ name: 'db' })], onChange });
    const { code, lines, hints } = await start(scene);
    expect(lines).toEqual([
      'web: capturing eth0, keeping the last 5 files of 1 MB on node1',
      String.raw`db: refused on node1 (NoSuchInterface): no lo\u001b[31m`,
    ]);
    expect(code).toBe(3);
    expect(hints).toEqual([expect.stringContaining('--overwrite, or kubectl podcap discard')]);
    expect(patches(scene)).toMatchObject([
      { body: { metadata: { uid: 'uid-web', annotations: { [files]: '5' } } } },
      { path: '/api/v1/namespaces/shop/pods/db' },
    ]);
  });

  test('leaves a request as it is, and says so', async () => {
    await using scene = await requestScene({
      pods: [
        targetPod({ annotations: { [files]: '50' } }),
        targetPod({ name: 'db', annotations: { [files]: '5' } }),
      ],
      captures: [captureOf('db', [recording({ uid: 'uid-db' })])],
    });
    const { code, lines } = await start(scene, { options: { files: '5' } });
    expect(lines).toEqual([
      'web: keeps its own request (capturing eth0, keeping the last 50 files of 1 MB): --overwrite replaces it',
      'db: asks for that already: capturing eth0, keeping the last 5 files of 1 MB on node1',
    ]);
    expect(code).toBe(3);
    expect(patches(scene)).toEqual([]);
  });

  test('replaces a request with --overwrite', async () => {
    await using scene = await requestScene({
      pods: [targetPod({ annotations: { [files]: '50', 'podcap.dev/filter': 'tcp' } })],
      captures: [
        captureOf('web', [recording({ requested: { files: 50, fileMegabytes: 1, filter: 'tcp' } })]),
      ],
      onChange: answering(),
    });
    const { code, lines } = await start(scene, { overwrite: true });
    expect(lines).toEqual(['web: capturing eth0, keeping the last 5 files of 1 MB on node1']);
    expect(code).toBe(0);
    expect(scene.pods.get('web')?.annotations).toEqual({ [files]: '5' });
  });

  test('says of a Pod that a policy captures what --overwrite does', async () => {
    const requestedBy = { kind: 'CapturePolicy', name: 'crashes' } as const;
    await using scene = await requestScene({
      pods: [targetPod()],
      captures: [captureOf('web', [recording({ requestedBy })])],
      onChange: answering(),
    });
    const { code, lines } = await start(scene);
    expect(lines).toEqual([
      expect.stringMatching(/^web: CapturePolicy crashes asks .*capturing eth0.*--overwrite/),
    ]);
    expect(code).toBe(1);
    expect((await start(scene, { overwrite: true })).code).toBe(0);
  });

  test.each<[string, Partial<TargetPod>, string, number]>([
    [
      'on the host network',
      { isHostNetwork: true },
      'refused (HostNetwork): the Pod uses the host network',
      1,
    ],
    ['that has ended', { phase: 'Succeeded' }, 'has ended (Succeeded)', 1],
    ['that is being deleted', { isBeingDeleted: true }, 'is being deleted', 1],
    ['without a Node', { node: undefined, phase: 'Pending' }, 'no Node runs it yet; the request stays', 0],
    [
      'whose agent does not answer',
      {},
      'no answer yet from Node node1; the request stays: kubectl podcap check',
      3,
    ],
  ])('says what becomes of a Pod %s', async (_, pod, line, code) => {
    await using scene = await requestScene({ pods: [targetPod(pod)] });
    const end = await start(scene, { deadlineMs: code === 3 ? 50 : 60_000 });
    expect(end.lines).toEqual([expect.stringContaining(line)]);
    expect(end.code).toBe(code);
    expect(patches(scene)).toHaveLength(code === 1 ? 0 : 1);
  });

  test('says that a Pod is not captured though it asks for that already', async () => {
    await using scene = await requestScene({
      pods: [targetPod({ annotations: { [files]: '5' } })],
      captures: [captureOf('web', [recording({ phase: 'Ended', reason: 'DurationReached' })])],
    });
    const { code, lines } = await start(scene);
    expect(lines).toEqual([expect.stringContaining('asks for that already: not captured any more')]);
    expect(code).toBe(1);
  });

  test('says that somebody else has asked for something else meanwhile', async () => {
    const requested = { files: 9, fileMegabytes: 1 };
    await using scene = await requestScene({ pods: [targetPod()], onChange: answering({ requested }) });
    const { code, lines } = await start(scene, { deadlineMs: 200 });
    expect(lines).toEqual([
      'web: not as it was asked for: capturing eth0, keeping the last 9 files of 1 MB on node1; somebody has changed the request since, or the agent has not seen it yet',
    ]);
    expect(code).toBe(3);
  });

  test('knows a static Pod by the UID of its manifest, and not by a Pod that had its name before', async () => {
    const requestedBy = { kind: 'CapturePolicy', name: 'crashes' } as const;
    await using scene = await requestScene({
      pods: [targetPod({ annotations: { 'kubernetes.io/config.mirror': 'manifest' } })],
      captures: [captureOf('web', [recording({ uid: 'before', requestedBy })])],
      onChange: (pod, agent) => answering()({ ...pod, uid: 'manifest' }, agent),
    });
    expect(await start(scene)).toMatchObject({ code: 0, lines: [expect.stringContaining('web: capturing')] });
  });

  test('shows another way to whoever may not change Pods', async () => {
    const forbidden = 'pods "web" is forbidden: User "jane" cannot patch resource "pods" in API group ""';
    await using scene = await requestScene({
      pods: [targetPod({ labels: { app: 'web' } })],
      answer({ method }, refuse) {
        if (method === 'PATCH') refuse(403, 'Forbidden', forbidden);
        return method === 'PATCH';
      },
    });
    const targets = { kind: 'workload', type: 'deployment', name: 'web' } as const;
    const { code, lines, hints } = await start(scene, { targets, options: { filter: 'tcp port 80' } });
    expect(lines).toEqual([`web: not changed: ${forbidden}`]);
    expect(code).toBe(1);
    expect(hints).toEqual([
      expect.stringContaining(
        "kubectl podcap start deployment/web --files 5 --filter 'tcp port 80' --policy web",
      ),
    ]);
  });

  test('says how the Pods to come of a workload are captured, and leaves out those that end or have ended', async () => {
    const labels = { app: 'web' };
    const pods = [
      targetPod({ labels }),
      targetPod({ name: 'old', labels, phase: 'Failed' }),
      targetPod({ name: 'ending', labels, isBeingDeleted: true }),
    ];
    await using scene = await requestScene({ pods, onChange: answering() });
    const targets = { kind: 'workload', type: 'deployment', name: 'web' } as const;
    const { code, lines, hints } = await start(scene, { targets });
    expect(lines).toHaveLength(1);
    expect(code).toBe(0);
    expect(hints).toEqual([expect.stringContaining('kubectl podcap start deployment/web --policy web')]);
  });

  test('changes Pods though captures cannot be seen, and says so', async () => {
    await using scene = await requestScene({
      pods: [targetPod()],
      answer({ path }, refuse) {
        if (path.endsWith('/captures')) refuse(403, 'Forbidden', 'captures is forbidden');
        return path.endsWith('/captures');
      },
    });
    const { code, lines, hints } = await start(scene);
    expect(lines).toEqual(['web: the request is set, and whether it is captured is not known']);
    expect(hints).toEqual(['what the agents answer is not known: captures is forbidden']);
    expect(code).toBe(3);
    expect(scene.pods.get('web')?.annotations).toEqual({ [files]: '5' });
  });
});
