import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { Targets } from '../api/targets.ts';
import { CommandFailure } from '../cli-command.ts';
import { cliTerminal, type TestScreen } from '../testing/cli-terminal.ts';
import { discardPods } from './discard-pods.ts';
import { captureOf, recording, targetPod } from './testing/request-objects.ts';
import { type RequestScene, requestScene } from './testing/request-scene.ts';

const files = 'tcpdump.antrea.io';

type Discard = {
  readonly targets?: Targets;
  readonly isSure?: boolean;
  readonly screen?: TestScreen;
  readonly deadlineMs?: number;
};

async function discard(
  scene: RequestScene,
  { targets, isSure = true, screen, deadlineMs = 60_000 }: Discard = {},
) {
  const { terminal, stdout, stderr } = cliTerminal(screen);
  const asked = { targets: targets ?? { kind: 'pods', names: [...scene.pods.keys()] }, isSure } as const;
  const context = { terminal, signal: new AbortController().signal };
  const run = async () => {
    try {
      return await discardPods(asked, scene.cluster, context, { deadlineMs, settleMs: 1 });
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error;
      return { code: error.exitCode, hints: [error.message] };
    }
  };
  const end = await run();
  return { ...end, lines: stdout().trimEnd().split('\n'), asked: stderr() };
}

/** Somebody at a terminal who types that. */
function typing(text: string): TestScreen {
  return { isTTY: true, stdin: Object.assign(Readable.from([text]), { isTTY: true }) };
}

const ring = { number: 1, time: '2026-11-30T19:00:00Z', causes: ['x'], files: 1, bytes: 1_000_000 };
const captured = { annotations: { [files]: '5', 'podcap.dev/filter': 'tcp', 'podcap.dev/x': '', app: 'a' } };

/** A captured Pod whose agent deletes its files, and an ended recording of an earlier Pod of its name. */
function webScene() {
  return requestScene({
    pods: [targetPod(captured)],
    captures: [captureOf('web', [recording({ frozen: [ring] })])],
    onChange: ({ name }, { deleteCapture }) => deleteCapture(name),
  });
}

const writes = ({ requests }: RequestScene) => requests.filter(({ method }) => method !== 'GET');

describe('discard', () => {
  test('says what goes, removes every annotation of Podcap, and waits until the files are gone', async () => {
    await using scene = await webScene();
    const { code, lines, asked } = await discard(scene);
    expect(asked).toBe(
      'podcap: this is deleted for good, in namespace shop:\n  web: 2 files, 1.4Mi, with 1 frozen ring on node1\n',
    );
    expect(lines).toEqual(['web: deleted 2 files, 1.4Mi, with 1 frozen ring']);
    expect(code).toBe(0);
    expect(scene.pods.get('web')?.annotations).toEqual({ app: 'a' });
  });

  test.each([
    ['y\n', 0],
    [' YES \n', 0],
    ['n\n', 1],
    ['\n', 1],
    ['yes please\n', 1],
    ['', 1],
  ])('asks on a terminal: %j', async (text, code) => {
    await using scene = await webScene();
    const end = await discard(scene, { isSure: false, screen: typing(text) });
    expect(end.asked).toContain('Delete it? [y/N] ');
    expect(end.code).toBe(code);
    expect(writes(scene)).toHaveLength(code === 0 ? 1 : 0);
  });

  test('deletes nothing where there is nobody to ask', async () => {
    await using scene = await webScene();
    const { code, hints } = await discard(scene, { isSure: false });
    expect(code).toBe(2);
    expect(hints).toEqual([expect.stringContaining('add --yes')]);
    expect(writes(scene)).toEqual([]);
  });

  test('deletes what is left of Pods that are gone, and of earlier ones of the same name', async () => {
    await using scene = await requestScene({
      pods: [targetPod({ name: 'db' })],
      captures: [
        captureOf('web', [recording({ phase: 'Ended' })]),
        captureOf('db', [
          recording({ uid: 'uid-db', phase: 'Ended', reason: 'NotMatched' }),
          recording({ uid: 'earlier', phase: 'Ended' }),
        ]),
      ],
    });
    const { code, lines, asked } = await discard(scene, { targets: { kind: 'pods', names: ['web', 'db'] } });
    expect(asked).toContain('in all: 6 files, 4.3Mi');
    expect(lines).toEqual(
      Array.from({ length: 3 }, (_, at) => `${at === 0 ? 'web' : 'db'}: deleted 2 files, 1.4Mi`),
    );
    expect(code).toBe(0);
    expect(writes(scene).map(({ method, query }) => [method, query['uid']])).toEqual([
      ['DELETE', 'uid-web'],
      ['DELETE', 'uid-db'],
      ['DELETE', 'earlier'],
    ]);
  });

  test('says what stays, and why', async () => {
    const policy = { kind: 'CapturePolicy', name: 'crashes' } as const;
    await using scene = await requestScene({
      pods: ['policy', 'lost', 'nothing'].map((name) => targetPod({ name })),
      captures: [
        captureOf('policy', [recording({ uid: 'uid-policy', requestedBy: policy })]),
        captureOf('lost', [recording({ uid: 'uid-lost', phase: 'Unknown', message: 'the agent is lost' })]),
        captureOf('ending', [recording({ uid: 'before' })]),
      ],
    });
    const names = ['policy', 'lost', 'ending', 'nothing', 'missing'];
    const { code, lines } = await discard(scene, { targets: { kind: 'pods', names } });
    expect(lines).toEqual([
      expect.stringContaining(
        'policy: CapturePolicy crashes asks for its capture: change or delete the policy',
      ),
      'lost: stays for now: the agent is lost',
      'ending: its Pod before is still ending on node1: try again in a minute',
      'nothing: asks for nothing, and nothing is recorded',
      'missing: there is no such Pod, and nothing is recorded of one',
    ]);
    expect(code).toBe(3);
    expect(writes(scene)).toEqual([]);
  });

  test('quotes the name of a policy, and keeps what is asked for in an unknown way', async () => {
    const policy = { kind: 'CapturePolicy', name: 'a; rm -rf /' } as const;
    await using scene = await requestScene({
      pods: ['policy', 'newer'].map((name) => targetPod({ name })),
      captures: [
        captureOf('policy', [recording({ uid: 'uid-policy', requestedBy: policy })]),
        captureOf('newer', [recording({ uid: 'uid-newer', requestedBy: { kind: 'Unknown' } })]),
      ],
    });
    const { code, lines } = await discard(scene);
    expect(lines).toEqual([
      expect.stringContaining("kubectl edit capturepolicy 'a; rm -rf /'"),
      expect.stringContaining('newer: its capture is asked for in a way'),
    ]);
    expect(code).toBe(1);
    expect(writes(scene)).toEqual([]);
  });

  test('says where nothing is recorded yet', async () => {
    await using scene = await requestScene({
      pods: [targetPod(captured)],
      captures: [captureOf('web', [recording({ phase: 'Waiting', files: 0, bytes: 0 })])],
      onChange: ({ name }, { deleteCapture }) => deleteCapture(name),
    });
    const { asked, lines } = await discard(scene);
    expect(asked).toContain('web: its request; nothing is recorded');
    expect(lines).toEqual(['web: its request was removed']);
  });

  test('says when a policy takes over, and when files are not deleted in time', async () => {
    const requestedBy = { kind: 'CapturePolicy', name: 'crashes' } as const;
    await using scene = await requestScene({
      pods: [targetPod(captured), targetPod({ ...captured, name: 'db' })],
      captures: [captureOf('web', [recording()]), captureOf('db', [recording({ uid: 'uid-db' })])],
      onChange({ name }, { setCapture }) {
        if (name === 'web') setCapture(captureOf('web', [recording({ requestedBy })]));
      },
    });
    const { code, lines } = await discard(scene, { deadlineMs: 500 });
    expect(lines).toEqual([
      expect.stringContaining(
        'web: its request was removed, and CapturePolicy crashes asks for its capture: the files stay',
      ),
      expect.stringContaining(
        'db: its request was removed, and it is not known yet that 2 files, 1.4Mi on node1 are deleted',
      ),
    ]);
    expect(code).toBe(3);
  });

  test('of a workload does not touch a Pod that only has its labels', async () => {
    const labels = { app: 'web' };
    await using scene = await requestScene({
      pods: [targetPod({ ...captured, name: 'web-a', labels })],
      captures: [
        captureOf('web-a', [recording({ uid: 'uid-web-a' })]),
        captureOf('web-gone', [recording({ phase: 'Ended' })]),
        captureOf('other', [recording({ phase: 'Ended' })]),
      ],
      onChange: ({ name }, { deleteCapture }) => deleteCapture(name),
    });
    const targets = { kind: 'workload', type: 'deployment', name: 'web' } as const;
    const { lines, hints } = await discard(scene, { targets });
    expect(lines).toEqual(['web-a: deleted 2 files, 1.4Mi']);
    // web-canary-1 would begin like a Pod of web, too.
    expect(hints).toEqual([expect.stringContaining('nobody knows whose they were (other, web-gone)')]);
  });

  test('of labels does not touch a Pod that has other ones by now', async () => {
    await using scene = await requestScene({
      pods: [targetPod({ name: 'isolated', labels: { app: 'isolated' } })],
      captures: [
        captureOf('isolated', [recording({ uid: 'uid-isolated', phase: 'Ended' })]),
        captureOf('gone', [recording({ phase: 'Ended' })]),
      ],
    });
    const { lines } = await discard(scene, { targets: { kind: 'selector', selector: 'app=web' } });
    expect(lines).toEqual(['gone: deleted 2 files, 1.4Mi']);
  });

  test('says what the right to delete recordings needs', async () => {
    await using scene = await requestScene({
      pods: [],
      captures: [captureOf('web', [recording({ phase: 'Ended' })])],
      answer({ method }, refuse) {
        if (method === 'DELETE') refuse(403, 'Forbidden', 'captures "web" is forbidden');
        return method === 'DELETE';
      },
    });
    const { code, lines } = await discard(scene, { targets: { kind: 'pods', names: ['web'] } });
    expect(lines).toEqual([
      expect.stringMatching(/^web: not deleted: captures "web" is forbidden: that needs the verb/),
    ]);
    expect(code).toBe(1);
  });

  test('says that it is not known how much goes', async () => {
    await using scene = await requestScene({
      pods: [targetPod(captured)],
      answer({ path }, refuse) {
        if (path.endsWith('/captures')) refuse(403, 'Forbidden', 'captures is forbidden');
        return path.endsWith('/captures');
      },
    });
    const { code, asked, lines, hints } = await discard(scene);
    expect(asked).toContain('web: its request, and what is recorded (captures is forbidden)');
    expect(lines).toEqual(['web: its request was removed']);
    expect(hints).toEqual([expect.stringContaining('captures is forbidden')]);
    expect(code).toBe(0);
  });
});
