import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { CommandFailure } from '../cli-command.ts';
import { cliTerminal } from '../testing/cli-terminal.ts';
import { discardPods } from './discard-pods.ts';
import { captureOf, recording, targetPod } from './testing/request-objects.ts';
import { type RequestScene, requestScene } from './testing/request-scene.ts';

const files = 'tcpdump.antrea.io';
const captured = { annotations: { [files]: '5' } };
const noAnswer = 'podcap: the list may lack captures: no answer from the agent of Node node1';

/** `answers`: what somebody types at each question, after what happens meanwhile; without it, nobody is asked. */
async function discard(
  scene: RequestScene,
  {
    answers,
    deadlineMs = 60_000,
  }: { readonly answers?: readonly (() => string)[]; readonly deadlineMs?: number } = {},
) {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  const { terminal, stdout, stderr } = cliTerminal({ isTTY: answers !== undefined, stdin });
  const asking = { targets: { kind: 'pods', names: ['web'] }, isSure: answers === undefined } as const;
  const context = { terminal, signal: new AbortController().signal };
  const ending = discardPods(asking, scene.cluster, context, { deadlineMs, settleMs: 1 });
  const ended = ending.catch((error: unknown) => {
    if (!(error instanceof CommandFailure)) throw error;
    return { code: error.exitCode, hints: [error.message] };
  });
  for (const [at, answer] of (answers ?? []).entries()) {
    await until(() => stderr().split('Delete it?').length === at + 2, { what: 'the question' });
    stdin.write(answer());
  }
  return { ...(await ended), lines: stdout().trimEnd().split('\n'), asked: stderr() };
}

function webScene() {
  return requestScene({
    pods: [targetPod(captured)],
    captures: [captureOf('web', [recording()])],
    onChange: ({ name }, { deleteCapture }) => deleteCapture(name),
  });
}

/** What another user asks for meanwhile. */
function restart(scene: RequestScene): void {
  scene.pods.set('web', targetPod({ annotations: { [files]: '100', 'podcap.dev/freeze-on': 'restart' } }));
  const requested = { files: 100, fileMegabytes: 1 };
  scene.setCapture(captureOf('web', [recording({ requested, files: 100, bytes: 100_000_000 })]));
}

const patches = ({ requests }: RequestScene) => requests.filter(({ method }) => method === 'PATCH').length;

describe('discard, of what others change meanwhile', () => {
  test('asks again when more would go than was confirmed, and removes all of that', async () => {
    await using scene = await webScene();
    const first = () => {
      restart(scene);
      return 'y\n';
    };
    const { asked, lines, code } = await discard(scene, { answers: [first, () => 'y\n'] });
    expect(asked).toContain('it has changed meanwhile');
    expect(asked).toContain('web: 100 files, 95Mi on node1');
    expect(lines).toEqual(['web: deleted 100 files, 95Mi']);
    expect(code).toBe(0);
    expect(scene.pods.get('web')?.annotations).toEqual({});
  });

  test('deletes nothing when that is not wanted', async () => {
    await using scene = await webScene();
    const first = () => {
      restart(scene);
      return 'y\n';
    };
    const { code } = await discard(scene, { answers: [first, () => 'n\n'] });
    expect(code).toBe(1);
    expect(patches(scene)).toBe(0);
  });

  test('does not ask again because of the files that a capture goes on to write', async () => {
    await using scene = await webScene();
    const first = () => {
      scene.setCapture(captureOf('web', [recording({ files: 4, bytes: 3_000_000 })]));
      return 'y\n';
    };
    const { lines, code } = await discard(scene, { answers: [first] });
    expect(lines).toEqual(['web: deleted 4 files, 2.9Mi']);
    expect(code).toBe(0);
  });

  test('reads a Pod again that has changed since it was read', async () => {
    await using scene = await requestScene({
      pods: [targetPod(captured)],
      captures: [captureOf('web', [recording()])],
      onChange: ({ name }, { deleteCapture }) => deleteCapture(name),
      answer({ method }) {
        if (method === 'PATCH' && patches(scene) === 1) restart(scene);
        return false;
      },
    });
    const { lines, asked } = await discard(scene);
    expect(lines).toEqual(['web: deleted 100 files, 95Mi']);
    expect(asked).toContain('it has changed meanwhile');
    expect(patches(scene)).toBe(2);
    expect(scene.pods.get('web')?.annotations).toEqual({});
  });
});

describe('discard, when a Node does not answer', () => {
  test('does not take that for a deletion', async () => {
    await using scene = await requestScene({ pods: [targetPod(captured)], captures: [] });
    scene.setWarning(noAnswer);
    const { asked, lines, hints, code } = await discard(scene, { deadlineMs: 100 });
    expect(asked).toContain('web: its request, and what is recorded (the list may lack captures');
    expect(lines).toEqual([
      expect.stringContaining('it is not known yet that what Node node1 has recorded is deleted'),
    ]);
    expect(hints).toEqual([noAnswer.replace('podcap: ', '')]);
    expect(code).toBe(3);
  });

  test('nor when it has answered before', async () => {
    await using scene = await requestScene({
      pods: [targetPod(captured)],
      captures: [captureOf('web', [recording()])],
      onChange(_, { setWarning, deleteCapture }) {
        setWarning(noAnswer);
        deleteCapture('web');
      },
    });
    const { lines, code } = await discard(scene, { deadlineMs: 100 });
    expect(lines).toEqual([
      expect.stringContaining('not known yet that 2 files, 1.4Mi on node1 are deleted'),
    ]);
    expect(code).toBe(3);
  });

  test('waits until it answers again', async () => {
    await using scene = await requestScene({
      pods: [targetPod(captured)],
      captures: [captureOf('web', [recording()])],
      onChange(_, { setWarning, deleteCapture }) {
        setWarning(noAnswer);
        deleteCapture('web');
      },
      answer({ path, method }) {
        const isList = path.endsWith('/captures') && method === 'GET';
        if (isList && scene.requests.filter((each) => each.path === path).length > 2)
          scene.setWarning(undefined);
        return false;
      },
    });
    const { lines, code } = await discard(scene);
    expect(lines).toEqual(['web: deleted 2 files, 1.4Mi']);
    expect(code).toBe(0);
  });
});
