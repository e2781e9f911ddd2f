import { describe, expect, test } from 'vitest';
import type { TargetPod } from '../api/targets.ts';
import { cliTerminal } from '../testing/cli-terminal.ts';
import { freezeText } from './freeze-command.ts';
import { freezeAfterMs } from './freeze-decision.ts';
import { freezePods } from './freeze-pods.ts';
import { captureOf, recording, targetPod } from './testing/request-objects.ts';
import { type RequestScene, requestScene } from './testing/request-scene.ts';

const annotation = 'podcap.dev/freeze';

async function freeze(scene: RequestScene, text: string, deadlineMs = 60_000) {
  const { terminal, stdout } = cliTerminal();
  const targets = { kind: 'pods', names: [...scene.pods.keys()] } as const;
  const context = { terminal, signal: new AbortController().signal };
  const end = await freezePods({ targets, text }, scene.cluster, context, deadlineMs);
  return { ...end, lines: stdout().trimEnd().split('\n') };
}

function ring(number: number, cause: string) {
  return { number, time: '2026-11-30T19:00:00Z', causes: [cause], files: 5, bytes: 5_000_000 };
}

/** An agent that freezes at once. */
function freezes({ name, uid, annotations }: TargetPod, { setCapture }: RequestScene): void {
  const frozen = [
    ring(1, 'container web ended'),
    // Captures show nothing that a terminal acts on.
    ring(
      2,
      `asked for by podcap.dev/freeze=${JSON.stringify(annotations[annotation]).replace('\u202e', ' ')}`,
    ),
  ];
  setCapture(captureOf(name, [recording({ uid, frozen })]));
}

const captured = (name: string) => captureOf(name, [recording({ uid: `uid-${name}` })]);

describe('freeze', () => {
  test('waits for the ring that it has asked for', async () => {
    await using scene = await requestScene({
      pods: [targetPod()],
      captures: [captured('web')],
      onChange: freezes,
    });
    const { lines, code } = await freeze(scene, 'slow "at" 10:15\u202e');
    expect(lines).toEqual([
      'web: frozen ring 2: 5 files, 4.8Mi; kubectl podcap save web --frozen 2 downloads it',
    ]);
    expect(code).toBe(0);
  });

  test('says why nothing can be frozen', async () => {
    await using scene = await requestScene({
      pods: [
        targetPod({ name: 'none' }),
        targetPod({ name: 'again', annotations: { [annotation]: 'slow' } }),
        targetPod({ name: 'refused', annotations: { 'tcpdump.antrea.io': '5' } }),
      ],
      captures: [
        captured('again'),
        captureOf('refused', [recording({ uid: 'uid-refused', phase: 'Refused', message: 'why' })]),
      ],
    });
    const { lines, code } = await freeze(scene, 'slow');
    expect(lines).toEqual([
      'none: is not captured: kubectl podcap start none captures it',
      'again: was frozen with this reason already: give another --reason',
      'refused: is not captured now (Refused: why): nothing can be frozen',
    ]);
    expect(code).toBe(1);
  });

  test('ends when no frozen ring comes', async () => {
    await using scene = await requestScene({ pods: [targetPod()], captures: [captured('web')] });
    const { lines, code } = await freeze(scene, 'slow', 50);
    expect(lines).toEqual([expect.stringMatching(/^web: no frozen ring yet on node1.*CaptureNotFrozen/)]);
    expect(code).toBe(3);
  });

  test('has a new text each time', () => {
    const now = new Date('2026-11-30T19:00:00.123Z');
    expect(freezeText(undefined, now)).toBe('kubectl podcap freeze at 2026-11-30T19:00:00.123Z');
    expect(freezeText('slow', now)).toBe('slow');
    expect(() => freezeText('x'.repeat(300), now)).toThrow(
      expect.objectContaining({
        exitCode: 2,
        message: expect.stringContaining('must be a text of 1 to 253 bytes'),
      }),
    );
  });

  test('takes longer where the Pod asks for that', () => {
    expect(freezeAfterMs(targetPod())).toBe(5_000);
    expect(freezeAfterMs(targetPod({ annotations: { 'podcap.dev/freeze-after': '1m' } }))).toBe(60_000);
    expect(freezeAfterMs(targetPod({ annotations: { 'podcap.dev/freeze-after': 'x' } }))).toBe(5_000);
  });
});
