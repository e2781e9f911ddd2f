import { beforeAll, describe, expect, test } from 'vitest';
import { built } from '../../../tools/go-program.ts';
import type { CliCommand, GivenArguments } from '../cli-command.ts';
import { cliTerminal } from '../testing/cli-terminal.ts';
import { discardCommand } from './discard-command.ts';
import { freezeCommand } from './freeze-command.ts';
import { startCommand } from './start-command.ts';
import { stopCommand } from './stop-command.ts';
import { type PodSceneOptions, podScene, scenePaths } from './testing/pod-scene.ts';
import { givenArguments, recording } from './testing/request-objects.ts';

// The first run builds kubectl, which takes minutes.
beforeAll(() => built('kubectl'), 1_200_000);

const later = '2026-11-30T19:10:00.000Z';
const ring = { number: 1, time: later, files: 2, bytes: 2_000_000 };

/** Runs a command with the real kubectl. */
async function run(command: CliCommand, given: GivenArguments, options: PodSceneOptions) {
  await using scene = await podScene(options);
  const { terminal, stdout, stderr } = cliTerminal();
  const context = { terminal, kubectl: scene.kubectl, signal: new AbortController().signal };
  const code = await command.run(given, context);
  return { code, stdout: stdout(), stderr: stderr(), writes: scene.writes() };
}

const requested = { files: 5, fileMegabytes: 1 };
const capturing = recording({ requested });

describe('through the real kubectl', () => {
  test('start patches the Pod, and sees the answer', async () => {
    const { code, stdout, stderr, writes } = await run(startCommand, givenArguments(['web']), {
      answer: () => ({ requested }),
    });
    expect(stdout).toBe('web: capturing eth0, keeping the last 5 files of 1 MB on node1\n');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(writes).toMatchObject([
      {
        method: 'PATCH',
        path: scenePaths.pod,
        headers: { 'content-type': 'application/merge-patch+json' },
        body: { metadata: { uid: 'uid-web', annotations: { 'tcpdump.antrea.io': '5' } } },
      },
    ]);
  });

  test('start --policy creates a policy', async () => {
    const given = givenArguments([], { selector: 'app=web', policy: 'crashes', expires: 'never' });
    const requestedBy = { kind: 'CapturePolicy', name: 'crashes' } as const;
    const { code, stdout, writes } = await run(startCommand, given, {
      answer: () => ({ requested, requestedBy }),
    });
    expect(stdout).toBe(
      'CapturePolicy crashes: created, until it is deleted\n' +
        'web: capturing eth0, keeping the last 5 files of 1 MB on node1\n',
    );
    expect(code).toBe(0);
    expect(writes).toMatchObject([{ method: 'POST', path: scenePaths.policies }]);
  });

  test('stop pauses', async () => {
    const { code, stdout, writes } = await run(stopCommand, givenArguments(['pod/web']), {
      before: capturing,
      answer: () => ({ requested, phase: 'Paused', phaseSince: later }),
    });
    expect(stdout).toBe('web: paused: 2 files, 1.4Mi kept on node1\n');
    expect(code).toBe(0);
    expect(writes).toMatchObject([{ body: { metadata: { annotations: { 'podcap.dev/paused': 'true' } } } }]);
  });

  test('freeze waits for its ring', async () => {
    const given = givenArguments(['web'], { reason: 'slow' });
    const { code, stdout } = await run(freezeCommand, given, {
      before: capturing,
      answer: () => ({
        requested,
        frozen: [{ ...ring, causes: ['asked for by podcap.dev/freeze="slow"'] }],
      }),
    });
    expect(stdout).toContain('web: frozen ring 1: 2 files, 1.9Mi');
    expect(code).toBe(0);
  });

  test('discard removes the request, and sees the files go', async () => {
    const { code, stdout, stderr } = await run(discardCommand, givenArguments(['web'], { yes: true }), {
      before: capturing,
      answer: () => 'deleted',
    });
    expect(stderr).toContain('this is deleted for good, in namespace shop:');
    expect(stdout).toBe('web: deleted 2 files, 1.4Mi\n');
    expect(code).toBe(0);
  });

  test('discard deletes what is left of a Pod that is gone', async () => {
    const given = givenArguments([], { selector: 'app=gone', yes: true });
    const { writes, stdout } = await run(discardCommand, given, {
      before: recording({ uid: 'before', phase: 'Ended' }),
      answer: ({ method }) => (method === 'DELETE' ? 'deleted' : undefined),
    });
    expect(stdout).toContain('web: deleted 2 files, 1.4Mi\n');
    expect(writes.map(({ method, path }) => [method, path])).toEqual(
      expect.arrayContaining([['DELETE', `${scenePaths.captures}/web?uid=before`]]),
    );
  });
});
