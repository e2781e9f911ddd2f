import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { until } from '../src/base/until.ts';
import { readBytes } from '../src/pcap/testing/read-capture.ts';
import { type BuiltCli, builtCli } from './support/built-cli.ts';
import { test as clusterTest } from './support/cluster-test.ts';
import { sender } from './support/pod-manifests.ts';
import { type VirtualScreen, virtualScreen } from './support/virtual-screen.ts';

/** The real Wireshark, in a window, with live packets of Pods on two Nodes. */
const test = clusterTest
  .extend('cli', { scope: 'file' }, async ({}, { onCleanup }) => {
    const cli = await builtCli();
    onCleanup(() => cli[Symbol.asyncDispose]());
    return cli;
  })
  .extend('pods', { scope: 'file' }, async ({ cluster, receiver }) => {
    const traffic = { to: receiver.address, port: receiver.port, rate: 20, bytes: 100 };
    await cluster.start(sender({ name: 'web', node: 'node1', ...traffic }));
    await cluster.start(sender({ name: 'db', node: 'node2', ...traffic }));
    return cluster.namespace;
  });

/** As the window's column for Pods shows them. */
const interfaces = ['db/eth0', 'web/eth0'];

test('closing Wireshark ends the command', async ({ cli, pods }) => {
  await using screen = await virtualScreen();
  await using live = await liveInWireshark(cli, screen, pods);
  const window = await screen.window('^Capturing from');
  await live.captures(interfaces);
  await window.press('ctrl+q');
  expect(await live.ended).toEqual({ code: 0, stderr: expect.stringMatching(/packets of 2 Pods in/) });
});

test('Ctrl-C ends the capture, and Wireshark keeps what it has until it is closed', async ({ cli, pods }) => {
  await using screen = await virtualScreen();
  await using live = await liveInWireshark(cli, screen, pods);
  await screen.window('^Capturing from');
  await live.captures(interfaces);
  live.interrupt();
  const window = await screen.window('^[*]');
  expect(await live.ended).toEqual({ code: 0, stderr: expect.stringMatching(/packets of 2 Pods in/) });
  await live.captures(interfaces);
  await window.press('ctrl+q');
  await until(async () => (await live.captureFiles()).length === 0, {
    what: 'Wireshark to end, and to delete its file',
    deadlineMs: 30_000,
  });
});

type LiveInWireshark = AsyncDisposable & {
  /** The files that Wireshark has of what it shows. */
  readonly captureFiles: () => Promise<readonly string[]>;
  /** Resolves once they have packets of these interfaces and of no others. */
  readonly captures: (names: readonly string[]) => Promise<void>;
  readonly interrupt: () => void;
  /** Of the command. */
  readonly ended: Promise<{ readonly code: unknown; readonly stderr: string }>;
};

async function liveInWireshark(
  cli: BuiltCli,
  { display }: VirtualScreen,
  namespace: string,
): Promise<LiveInWireshark> {
  await answerItsQuestions(cli.folder);
  const temporary = join(cli.folder, 'temporary');
  await mkdir(temporary, { recursive: true });
  const args = ['podcap', '-n', namespace, 'live', 'web', 'db', '--filter', 'udp', '--wireshark'];
  const child = spawn('kubectl', args, {
    env: { ...cli.env, DISPLAY: display, TMPDIR: temporary },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // Wireshark has the same standard error, and may go on.
  const ended = once(child, 'exit').then(([code]: unknown[]) => ({ code, stderr }));
  const captureFiles = async () =>
    (await readdir(temporary)).filter((name) => /^wireshark_.*\.pcapng$/.test(name));
  const capturedInterfaces = async () => {
    const [name] = await captureFiles();
    if (name === undefined) return [];
    const capture = await readBytes(await readFile(join(temporary, name)));
    const names = capture.packets.map((packet) => capture.interfaces[packet.interfaceIndex]?.name ?? '');
    return [...new Set(names)].toSorted();
  };
  return {
    captureFiles,
    async captures(expected) {
      await expect.poll(capturedInterfaces, { timeout: 30_000 }).toEqual(expected);
    },
    interrupt: () => void child.kill('SIGINT'),
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** What Wireshark would ask: whether root may run it, and whether to save what it has captured. */
async function answerItsQuestions(home: string): Promise<void> {
  const folder = join(home, '.config', 'wireshark');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'recent_common'), 'privs.warn_if_elevated: FALSE\n');
  await writeFile(join(folder, 'preferences'), 'gui.ask_unsaved: FALSE\n');
}
