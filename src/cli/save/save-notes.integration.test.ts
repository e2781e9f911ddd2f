import { beforeAll, expect, test } from 'vitest';
import { built } from '../../../tools/go-program.ts';
import type { CaptureRecording } from '../../api/capture.ts';
import { testCapture, testRecording } from '../../hub/api/testing/memory-captures.ts';
import { shopPod, shopWorkload } from '../api/testing/shop-server.ts';
import { hubScene, type StreamAnswerer } from '../testing/hub-scene.ts';
import { recordingBytes } from '../testing/memory-streams.ts';

// The first run builds kubectl, which takes minutes.
beforeAll(() => built('kubectl'), 1_200_000);

const sends: StreamAnswerer = (stream) => {
  stream.data(recordingBytes('web', [1]));
  stream.end();
};
const hasNoFile: StreamAnswerer = (stream) =>
  stream.refuse(404, 'NoCaptureFile', 'there is no capture file yet (NoCaptureFile)');

async function saved(
  args: readonly string[],
  { answer = sends, objects }: { readonly answer?: StreamAnswerer; readonly objects: Record<string, object> },
) {
  await using hub = await hubScene({ 'web/log': [answer] }, objects);
  await using saving = hub.run(['save', ...args, '--to', 'web.pcapng']);
  const { code, stderr } = await saving.ended;
  return { code, stderr, download: hub.asked().find((path) => path.includes('web/log')) };
}

const captureOf = (fields: Partial<CaptureRecording>) =>
  testCapture({ name: 'web', recordings: [testRecording(fields)] });

const frozen = [1, 10].map((number) => ({
  number,
  time: '2026-11-30T10:00:00Z',
  causes: [],
  files: 2,
  bytes: 10,
}));

test('frozen rings that are not asked for are named', async () => {
  const objects = { 'captures/web': captureOf({ frozen, files: 5 }) };
  const { code, stderr, download } = await saved(['web'], { objects });
  expect([code, download]).toEqual([0, expect.not.stringContaining('frozen')]);
  expect(stderr).toMatch(
    /saved 1 packet .*\npodcap: web: frozen rings 1, 10 are not in it: add --frozen all\n$/,
  );
  const asked = await saved(['web', '--frozen', '1'], { objects });
  expect(asked.stderr).not.toContain('are not in it');
});

test('frozen rings are saved where there is nothing else', async () => {
  const objects = { 'captures/web': captureOf({ phase: 'Ended', frozen, files: 4 }) };
  const { code, stderr, download } = await saved(['web'], { objects });
  expect([code, download]).toEqual([0, expect.stringContaining('frozen=all')]);
  expect(stderr).toContain('web: frozen rings 1, 10 are all that there is, and in it as with --frozen all\n');
});

test('a Pod that is refused has no file, and the agent says why', async () => {
  const refusal = {
    phase: 'Refused',
    reason: 'OverBudget',
    message: 'it may use 600 MB, and 500 MB are left',
  };
  const objects = { 'captures/web': captureOf({ ...refusal, phase: 'Refused', files: 0 }) };
  const { code, stderr } = await saved(['web'], { answer: hasNoFile, objects });
  expect(code).toBe(1);
  expect(stderr).toContain(
    'web is not in it: it has no capture file: Refused (OverBudget): it may use 600 MB, and 500 MB are left\n',
  );
});

test('Pods of a workload that run and are not captured are named', async () => {
  const own = shopPod({ name: 'web', controller: 'web' });
  const other = shopPod({ name: 'web-2', controller: 'web' });
  const foreign = shopPod({ name: 'db', controller: 'db' });
  const objects = {
    'replicasets/web': shopWorkload('web', { matchLabels: { app: 'web' } }),
    captures: {
      kind: 'CaptureList',
      metadata: { resourceVersion: '1' },
      items: [captureOf({ uid: 'uid-of-web' })],
    },
    pods: { items: [own, other, foreign] },
  };
  const { code, stderr } = await saved(['rs/web'], { objects });
  expect(code).toBe(0);
  expect(stderr).toMatch(/saved 1 packet .*\npodcap: not captured: web-2\n$/);
  const { pods: _, ...unseen } = objects;
  const forbidden = await saved(['rs/web'], { objects: unseen });
  expect(forbidden.stderr).toContain('saved 1 packet');
  expect(forbidden.stderr).not.toContain('not captured');
});
