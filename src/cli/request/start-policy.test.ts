import { describe, expect, test } from 'vitest';
import type { TargetPod } from '../api/targets.ts';
import { cliTerminal } from '../testing/cli-terminal.ts';
import { policyArguments } from './policy-arguments.ts';
import { startPolicy } from './start-policy.ts';
import { captureOf, givenArguments, recording, targetPod } from './testing/request-objects.ts';
import { type RequestScene, type RequestSceneOptions, requestScene } from './testing/request-scene.ts';
import { wantedCapture } from './wanted-capture.ts';

const web = { kind: 'workload', type: 'deployment', name: 'web' } as const;
const nowMs = Date.parse('2026-11-30T19:00:00Z');

async function start(scene: RequestScene, overwrite = false) {
  const { terminal, stdout } = cliTerminal();
  const given = givenArguments([], { policy: 'crashes', files: '7' });
  const policy = policyArguments(given, web, nowMs);
  if (!policy) throw new Error('a policy was given');
  const asked = { wanted: wantedCapture(given), overwrite, policy };
  const context = { terminal, signal: new AbortController().signal };
  const end = await startPolicy(asked, scene.cluster, context, { deadlineMs: 60_000, settleMs: 1 });
  return { ...end, lines: stdout().trimEnd().split('\n') };
}

const labels = { app: 'web' };
const ofPolicy = (pod: Partial<TargetPod> = {}) => targetPod({ labels, ...pod });

/** Agents that capture what the policy asks for. */
const onPolicy: RequestSceneOptions['onPolicy'] = ({ pods, setCapture }) => {
  const requested = { files: 7, fileMegabytes: 1 };
  for (const { name, uid } of pods.values()) {
    if (name === 'own') continue;
    const requestedBy = { kind: 'CapturePolicy', name: name === 'old' ? 'older' : 'crashes' } as const;
    setCapture(captureOf(name, [recording({ uid, requested, requestedBy })]));
  }
};

describe('start --policy', () => {
  test('creates a policy with the selector of the workload, and prints what becomes of its Pods', async () => {
    const own = { 'tcpdump.antrea.io': '5' };
    const pods = [ofPolicy(), ofPolicy({ name: 'own', annotations: own }), ofPolicy({ name: 'old' })];
    await using scene = await requestScene({ pods, onPolicy });
    const { code, lines } = await start(scene);
    expect(lines).toEqual([
      'CapturePolicy crashes: created, until 2026-12-01T19:00:00Z',
      'web: capturing eth0, keeping the last 7 files of 1 MB on node1',
      'own: has a request of its own, which replaces that of the policy: capturing eth0, keeping the last 5 files of 1 MB',
      'old: CapturePolicy older, which is older, decides about it',
    ]);
    expect(code).toBe(3);
    expect(scene.policies.get('crashes')).toMatchObject({
      apiVersion: 'policy.podcap.dev/v1alpha1',
      kind: 'CapturePolicy',
      spec: { selector: { matchLabels: labels }, files: 7, expires: '2026-12-01T19:00:00Z' },
    });
    expect(scene.requests.filter(({ method }) => method === 'PATCH')).toEqual([]);
  });

  test('creates it where there is no Pod yet', async () => {
    await using scene = await requestScene({ pods: [] });
    const { code, lines, hints } = await start(scene);
    expect(lines).toHaveLength(1);
    expect(code).toBe(0);
    expect(hints).toEqual([expect.stringContaining('the policy captures those to come')]);
  });

  test('leaves a policy of that name as it is, unless it is to be overwritten', async () => {
    const exists: RequestSceneOptions['answer'] = ({ method }, refuse) => {
      if (method === 'POST') refuse(409, 'AlreadyExists', 'capturepolicies "crashes" already exists');
      return method === 'POST';
    };
    await using scene = await requestScene({ pods: [ofPolicy()], answer: exists, onPolicy });
    scene.policies.set('crashes', { spec: { selector: { matchLabels: labels }, files: 5 } });
    expect(await start(scene)).toMatchObject({
      code: 1,
      lines: [expect.stringContaining('replace it with --overwrite')],
    });
    expect((await start(scene, true)).lines[0]).toBe(
      'CapturePolicy crashes: replaced, until 2026-12-01T19:00:00Z',
    );
    expect(scene.policies.get('crashes')).toMatchObject({ spec: { files: 7 } });
    const again = await start(scene);
    expect(again.lines[0]).toBe('CapturePolicy crashes: asks for that already, until 2026-12-01T19:00:00Z');
    expect(again.code).toBe(0);
  });

  test.each([
    [
      403,
      'Forbidden',
      'capturepolicies is forbidden: User "jane" cannot create',
      'not created: capturepolicies is forbidden',
    ],
    [
      404,
      'NotFound',
      'the server could not find the requested resource',
      'this cluster has no CapturePolicies',
    ],
    [404, 'NotFound', 'namespaces "shop" not found', 'not created: namespaces "shop" not found'],
  ])('says why it was not created: %s %s %s', async (status, reason, message, text) => {
    await using scene = await requestScene({
      pods: [ofPolicy()],
      answer({ method }, refuse) {
        if (method === 'POST') refuse(status, reason, message);
        return method === 'POST';
      },
    });
    const { code, lines } = await start(scene);
    expect(lines).toEqual([expect.stringContaining(text)]);
    expect(code).toBe(1);
  });
});
