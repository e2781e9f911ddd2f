import { describe, expect, test } from 'vitest';
import { cliTerminal } from '../testing/cli-terminal.ts';
import { stopPods } from './stop-pods.ts';
import { captureOf, recording, targetPod } from './testing/request-objects.ts';
import { type RequestScene, requestScene } from './testing/request-scene.ts';

const files = 'tcpdump.antrea.io';
const paused = 'podcap.dev/paused';

async function stop(scene: RequestScene, deadlineMs = 60_000) {
  const { terminal, stdout } = cliTerminal();
  const targets = { kind: 'pods', names: [...scene.pods.keys()] } as const;
  const context = { terminal, signal: new AbortController().signal };
  const end = await stopPods(targets, scene.cluster, context, { deadlineMs, settleMs: 1 });
  return { ...end, lines: stdout().trimEnd().split('\n') };
}

const requested = { files: 5, fileMegabytes: 1 };

describe('stop', () => {
  test('pauses a capture, and says how long its files stay', async () => {
    await using scene = await requestScene({
      pods: [targetPod({ annotations: { [files]: '5' } })],
      captures: [captureOf('web', [recording({ requested })])],
      onChange(_, { setCapture }) {
        const phaseSince = '2026-11-30T19:10:00.000Z';
        setCapture(captureOf('web', [recording({ requested, phase: 'Paused', phaseSince })]));
      },
    });
    const { lines, code, hints } = await stop(scene);
    expect(lines).toEqual(['web: paused: 2 files, 1.4Mi kept on node1']);
    expect(code).toBe(0);
    expect(scene.pods.get('web')?.annotations).toEqual({ [files]: '5', [paused]: 'true' });
    expect(hints).toEqual([
      expect.stringMatching(
        /as long as the Pod and its request do.*--retention-seconds; 60m unless.*discard web/,
      ),
    ]);
  });

  test('changes nothing where nothing is captured by a request of the Pod', async () => {
    const requestedBy = { kind: 'CapturePolicy', name: 'crashes' } as const;
    await using scene = await requestScene({
      pods: [
        targetPod({ name: 'none' }),
        targetPod({ name: 'paused', annotations: { [files]: '5', [paused]: 'true' } }),
        targetPod({ name: 'refused', annotations: { [files]: 'x' } }),
        targetPod({ name: 'ended', annotations: { [files]: '5' } }),
        targetPod({ name: 'policy' }),
      ],
      captures: [
        captureOf('paused', [recording({ uid: 'uid-paused', phase: 'Paused' })]),
        captureOf('ended', [recording({ uid: 'uid-ended', phase: 'Ended' })]),
        captureOf('policy', [recording({ uid: 'uid-policy', requestedBy })]),
      ],
    });
    const { lines, code, hints } = await stop(scene);
    expect(lines).toEqual([
      'none: is not captured',
      'paused: is paused already: 2 files, 1.4Mi kept on node1',
      expect.stringContaining(
        'refused: is not captured, as its request is refused: annotation tcpdump.antrea.io="x"',
      ),
      'ended: is not captured any more: 2 files, 1.4Mi kept on node1',
      expect.stringMatching(
        /^policy: CapturePolicy crashes asks .*kubectl patch capturepolicy crashes -n shop --type merge -p '{"spec":{"paused":true}}'/,
      ),
    ]);
    expect(code).toBe(3);
    expect(hints).toEqual([]);
    expect(scene.requests.filter(({ method }) => method === 'PATCH')).toEqual([]);
  });

  test('says whose agent has not answered', async () => {
    await using scene = await requestScene({
      pods: [targetPod({ annotations: { [files]: '5' } })],
      captures: [captureOf('web', [recording({ requested })])],
    });
    const { lines, code } = await stop(scene, 50);
    expect(lines).toEqual([
      expect.stringMatching(/^web: not as it was asked for: capturing eth0.* on node1; somebody has changed/),
    ]);
    expect(code).toBe(3);
  });
});
