import { execFile } from 'node:child_process';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildCli } from '../../../tools/build-cli.ts';
import { built } from '../../../tools/go-program.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { listingServer } from '../testing/listing-server.ts';
import { terminalShell } from '../testing/terminal-shell.ts';

/** Real shells on a terminal, the real kubectl, and the program that `make cli` builds. */
const opened = new AsyncDisposableStack();
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  const folder = opened.use(await temporaryFolder());
  const server = opened.use(
    await listingServer({ '/api/v1/namespaces': ['shop', 'shipping', 'kube-system'] }),
  );
  await buildCli(folder.path);
  await symlink(await built('kubectl'), join(folder.path, 'kubectl'));
  const kubeconfig = join(folder.path, 'kubeconfig');
  await server.writeKubeconfig(kubeconfig);
  const { PATH } = process.env;
  env = { PATH: `${folder.path}:${PATH}`, HOME: folder.path, KUBECONFIG: kubeconfig };
}, 1_200_000);

afterAll(async () => {
  await opened.disposeAsync();
});

const bash = 'bash --noprofile --norc';
const bashCompletion = 'source /usr/share/bash-completion/bash_completion';
const kubectlsOwn = 'source <(kubectl completion bash)';
const ours = 'eval "$(kubectl podcap completion bash)"';
const zshStart = 'autoload -U compinit && compinit -u -D && setopt no_auto_menu no_list_beep';
/** The terminal also echoes what is typed, but without this word. */
const sayReady = 'echo rea""dy';
const deleteLine = '\u0015';

/** What is typed before Tab, and the whole line after it. */
const completions = [
  ['kubectl podcap compl', 'kubectl podcap completion '],
  ['kubectl podcap completion z', 'kubectl podcap completion zsh '],
  ['kubectl podcap completion --kubec', 'kubectl podcap completion --kubeconfig '],
  [
    'kubectl podcap completion --kubeconfig /etc/os-rel',
    'kubectl podcap completion --kubeconfig /etc/os-release ',
  ],
  ['kubectl podcap completion -n ship', 'kubectl podcap completion -n shipping '],
  ['kubectl podcap completion --namespace=kube-', 'kubectl podcap completion --namespace=kube-system '],
  ['kubectl podcap completion --context arn:aws:p', 'kubectl podcap completion --context arn:aws:prod '],
] as const;

const shells = [
  { title: "bash, by kubectl's own completion", shell: bash, setup: [bashCompletion, kubectlsOwn] },
  { title: "bash, after kubectl's own completion", shell: bash, setup: [bashCompletion, kubectlsOwn, ours] },
  { title: 'bash, without bash-completion', shell: bash, setup: [ours] },
  { title: 'zsh', shell: 'zsh -f', setup: [zshStart, 'source <(kubectl podcap completion zsh)'] },
] as const;

test.each(shells)('$title', async ({ shell, setup }) => {
  await using terminal = terminalShell(shell, env);
  for (const line of [...setup, sayReady]) terminal.type(`${line}\n`);
  await terminal.shows('ready');
  for (const [typed, completed] of completions) {
    terminal.type(`${typed}\t`);
    expect(await terminal.shows(completed)).toContain(completed);
    terminal.type(deleteLine);
  }
});

test.each([
  ['bash', ['shellcheck', '--shell=bash']],
  ['zsh', ['zsh', '-n']],
  ['fish', ['fish', '--no-execute']],
] as const)('the script for %s has no mistakes', async (shell, [checker, option]) => {
  const command = `kubectl podcap completion ${shell} >script && ${checker} ${option} script`;
  const { stdout, stderr } = await promisify(execFile)('sh', ['-c', command], { env, cwd: env['HOME'] });
  expect(stdout + stderr).toBe('');
});

test("other words are left to kubectl's own completion", async () => {
  await using terminal = terminalShell(bash, env);
  for (const line of [bashCompletion, kubectlsOwn, ours, sayReady]) terminal.type(`${line}\n`);
  await terminal.shows('ready');
  terminal.type('kubectl api-res\t');
  const completed = 'kubectl api-resources ';
  expect(await terminal.shows(completed)).toContain(completed);
});

test.each(completions)('fish: %s', async (typed, completed) => {
  const script = `source (kubectl podcap completion fish | psub); complete --do-complete "$argv"`;
  const { stdout } = await promisify(execFile)('fish', ['--no-config', '--command', script, typed], { env });
  const words = stdout.split('\n').map((line) => line.split('\t')[0]);
  expect(words).toContain(completed.trim().split(' ').at(-1));
});
