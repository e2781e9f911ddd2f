import { expect, test } from 'vitest';
import type { Targets } from './api/targets.ts';
import { freezePods } from './request/freeze-pods.ts';
import { startPods } from './request/start-pods.ts';
import { stopPods } from './request/stop-pods.ts';
import { captureOf, givenArguments, recording, targetPod } from './request/testing/request-objects.ts';
import { requestScene } from './request/testing/request-scene.ts';
import { wantedCapture } from './request/wanted-capture.ts';
import { placeFlagsOf, suggestedCommand } from './suggested-command.ts';
import { cliTerminal } from './testing/cli-terminal.ts';

const given = { namespace: 'shop', flags: ['--as=jane', "--context=a b's"] };
const flags = String.raw`-n shop '--context=a b'\''s'`;
const web: Targets = { kind: 'pods', names: ['web'] };
const timing = { deadlineMs: 100, settleMs: 1 };

test('a suggested command is about the same cluster and namespace', () => {
  expect(suggestedCommand('kubectl podcap list', { placeFlags: placeFlagsOf(given) })).toBe(
    `kubectl podcap list ${flags}`,
  );
  expect(suggestedCommand('kubectl podcap list', {})).toBe('kubectl podcap list');
});

test('stop, freeze and start suggest such commands', async () => {
  await using scene = await requestScene({
    pods: [targetPod({ annotations: { 'tcpdump.antrea.io': '5' } }), targetPod({ name: 'db' })],
    captures: [captureOf('web', [recording()])],
    answer({ method, path }, refuse) {
      const isDb = method === 'PATCH' && path.endsWith('/db');
      if (isDb) refuse(403, 'Forbidden', 'jane cannot patch resource "pods"');
      return isDb;
    },
  });
  const cluster = { ...scene.cluster, placeFlags: placeFlagsOf(given) };
  const { terminal, stdout } = cliTerminal();
  const context = { terminal, signal: new AbortController().signal };
  const stopped = await stopPods(web, cluster, context, timing);
  expect(stopped.hints.join()).toContain(`kubectl podcap discard web ${flags}`);
  await freezePods({ targets: { kind: 'pods', names: ['db'] }, text: 'x' }, cluster, context, 100);
  expect(stdout()).toContain(`kubectl podcap start db ${flags}`);
  const wanted = wantedCapture(givenArguments(['db']));
  const db: Targets = { kind: 'pods', names: ['db'] };
  const started = await startPods({ targets: db, wanted, overwrite: false }, cluster, context, timing);
  expect(started.hints.join()).toContain(`--policy db ${flags}`);
});
