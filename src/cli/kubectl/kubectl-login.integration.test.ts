import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { built } from '../../../tools/go-program.ts';
import { terminalShell } from '../testing/terminal-shell.ts';
import { openCluster } from './open-cluster.ts';
import { kubectlScene, type SceneHandler, sendObject } from './testing/kubectl-scene.ts';

// The first run builds kubectl, which takes minutes.
beforeAll(() => built('kubectl'), 1_200_000);

const pods = '/api/v1/pods';
const { signal } = new AbortController();
const sendPods: SceneHandler = (_, response) => sendObject(response, { kind: 'PodList' });

test('a login asks its question on the terminal, and reads the answer there', async () => {
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: 'sh',
    // Without a terminal, it does not ask. What is typed is not shown.
    args: [
      '-c',
      `stty -echo; test -t 2 && printf 'Password: ' >&2
       read -r answer; stty echo
       echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'"$answer"'"}}'`,
    ],
    interactiveMode: 'Always',
  };
  await using scene = await kubectlScene(sendPods, { user: { exec } });
  await using terminal = terminalShell('bash --norc', scene.kubectl.env);
  const program = join(import.meta.dirname, 'testing/open-cluster-program.ts');
  terminal.type(`${process.execPath} ${program} ${scene.kubectl.program}\n`);
  await terminal.shows('Password: ');
  terminal.type('from the keyboard\n');
  const shown = await terminal.shows('was answered 200');
  expect(shown).not.toContain('from the keyboard');
  expect(scene.requests).toMatchObject([{ headers: { authorization: 'Bearer from the keyboard' } }]);
});

test('a login that fails is reported in the words of kubectl', async () => {
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: 'false',
    interactiveMode: 'Never',
  };
  await using scene = await kubectlScene(sendPods, { user: { exec } });
  await using cluster = await openCluster(scene.kubectl, [pods], signal);
  await expect(cluster.request({ path: pods, signal })).rejects.toThrow(
    /^kubectl cannot reach the API server: getting credentials: exec: .*exit code 1/,
  );
});
