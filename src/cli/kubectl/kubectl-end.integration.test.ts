import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { built } from '../../../tools/go-program.ts';
import { terminalShell } from '../testing/terminal-shell.ts';
import { openCluster } from './open-cluster.ts';
import { type KubectlScene, kubectlScene, sendObject } from './testing/kubectl-scene.ts';
import { areNoneWith, processesWith, proxyWith, socketOf } from './testing/scene-processes.ts';

const program = fileURLToPath(new URL('testing/open-cluster-program.ts', import.meta.url));

// The first run builds kubectl, which takes minutes.
beforeAll(() => built('kubectl'), 1_200_000);

/** A scene, and the command line of a plugin in it. All processes of it have `mark` in their arguments. */
async function pluginScene() {
  const scene = await kubectlScene((_, response) => sendObject(response, { kind: 'PodList' }));
  const mark = join(scene.folder, 'kubeconfig');
  const argv = [process.execPath, program, scene.kubectl.program, `--kubeconfig=${mark}`];
  return { scene, mark, argv, [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose]() };
}

/** Starts the plugin; returns once the API server has answered it. */
async function startPlugin(argv: readonly string[], scene: KubectlScene) {
  const [command = '', ...args] = argv;
  const plugin = spawn(command, args, { env: scene.kubectl.env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [text] = await once(plugin.stdout, 'data');
  expect(String(text)).toMatch(/^plugin \d+ was answered 200\n$/);
  return plugin;
}

/** The folder of the socket of the proxy that runs. */
async function socketFolder(mark: string): Promise<string> {
  return dirname(socketOf(await proxyWith(mark)));
}

test('the proxy ends, and its folder goes, with a plugin that is killed', async () => {
  await using plugins = await pluginScene();
  const { scene, mark, argv } = plugins;
  const plugin = await startPlugin(argv, scene);
  const folder = await socketFolder(mark);
  expect(existsSync(folder)).toBe(true);
  plugin.kill('SIGKILL');
  expect(await areNoneWith(mark)).toBe(true);
  expect(existsSync(folder)).toBe(false);
});

test('the proxy ends with a plugin whose parent is killed while the plugin cannot notice it', async () => {
  await using plugins = await pluginScene();
  const { scene, mark, argv } = plugins;
  // A terminal's shell, for example, that is killed; its jobs live on. Then the plugin is killed as well.
  const parent = await startPlugin(['/bin/sh', '-c', '"$@"; exit', 'sh', ...argv], scene);
  parent.kill('SIGKILL');
  const plugin = (await processesWith(mark)).find(({ argv: [name] }) => name === process.execPath);
  process.kill(plugin?.pid ?? 0, 'SIGKILL');
  expect(await areNoneWith(mark)).toBe(true);
});

test('the proxy ends with the terminal', async () => {
  await using plugins = await pluginScene();
  const { scene, mark, argv } = plugins;
  {
    await using terminal = terminalShell('bash --norc', scene.kubectl.env);
    terminal.type(`${argv.join(' ')}\n`);
    await terminal.shows('was answered 200');
  }
  expect(await areNoneWith(mark)).toBe(true);
});

test('the proxy outlives Ctrl-C as long as the command needs it', async () => {
  await using plugins = await pluginScene();
  const { scene, mark, argv } = plugins;
  await using terminal = terminalShell('bash --norc', scene.kubectl.env);
  terminal.type(`${argv.join(' ')}\n`);
  await terminal.shows('was answered 200');
  terminal.type('\u0003');
  await terminal.shows('after the signal it was answered 200');
  expect(await areNoneWith(mark)).toBe(true);
});

test('the proxy ends with a plugin that ends, also if its guard was killed', async () => {
  await using plugins = await pluginScene();
  const { scene, mark, argv } = plugins;
  const plugin = await startPlugin(argv, scene);
  const folder = await socketFolder(mark);
  for (const {
    pid,
    argv: [name],
  } of await processesWith(mark)) {
    if (name === '/bin/sh') process.kill(pid, 'SIGKILL');
  }
  plugin.kill('SIGTERM');
  expect(await areNoneWith(mark)).toBe(true);
  expect(existsSync(folder)).toBe(false);
});

test('a kubectl that is a script ends with what it has started', async () => {
  await using plugins = await pluginScene();
  const { scene, mark } = plugins;
  const wrapper = join(scene.folder, 'kubectl');
  await writeFile(wrapper, `#!/bin/sh\n${scene.kubectl.program} "$@"\nexit $?\n`);
  await chmod(wrapper, 0o755);
  const plugin = await startPlugin([process.execPath, program, wrapper, `--kubeconfig=${mark}`], scene);
  plugin.kill('SIGKILL');
  expect(await areNoneWith(mark)).toBe(true);
});

test('a proxy that is killed is reported, and its folder goes', async () => {
  await using plugins = await pluginScene();
  const { scene, mark } = plugins;
  const { signal } = new AbortController();
  const kubectl = { ...scene.kubectl, flags: [`--kubeconfig=${mark}`] };
  const path = '/api/v1/pods';
  const cluster = await openCluster(kubectl, [path], signal);
  const folder = await socketFolder(mark);
  process.kill((await proxyWith(mark)).pid, 'SIGKILL');
  await expect(cluster.request({ path, signal })).rejects.toThrow(
    'kubectl proxy does not answer any more: it was ended by SIGKILL',
  );
  await cluster[Symbol.asyncDispose]();
  expect(await areNoneWith(mark)).toBe(true);
  expect(existsSync(folder)).toBe(false);
});
