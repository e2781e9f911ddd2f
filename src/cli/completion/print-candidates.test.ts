import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import type { CliCommand } from '../cli-command.ts';
import { cliTerminal } from '../testing/cli-terminal.ts';
import { printCandidates } from './print-candidates.ts';

const start: CliCommand = {
  name: 'start',
  summary: 'start a capture',
  usage: '',
  description: '',
  examples: [],
  positionals: 'targets',
  options: [{ name: 'freeze-on', value: 'CAUSE[,CAUSE]', choices: ['restart', 'failed'], description: '' }],
  run: async () => 0,
};

/** What is printed with a `kubectl` that runs this script. */
async function printed(args: readonly string[], script: string) {
  await using folder = await temporaryFolder();
  const kubectl = join(folder.path, 'kubectl');
  await writeFile(kubectl, `#!/bin/sh\n${script}\n`);
  await chmod(kubectl, 0o755);
  const screen = cliTerminal({ env: { PATH: `${folder.path}:/bin:/usr/bin` } });
  const { signal } = new AbortController();
  const code = await printCandidates(args, { commands: [start], terminal: screen.terminal, signal });
  return { code, stdout: screen.stdout(), stderr: screen.stderr() };
}

test.each([
  [['s'], 'start\tstart a capture\n:4\n'],
  [['start', '--freeze-on', 'restart,'], 'restart,failed\n:6\n'],
  [['start', '--freeze-on=f'], 'failed\n:6\n'],
  [['start', '--kubeconfig', ''], ':0\n'],
  [['start', 'dep'], 'deployment/\tthe Pods of a deployment\n:6\n'],
])('%j', async (args, stdout) => {
  expect(await printed(args, 'exit 1')).toEqual({ code: 0, stdout, stderr: '' });
});

test('the names of a listing are its first words, without what a terminal acts on', async () => {
  const script = String.raw`printf 'web-1   1/1   Running\nweb-2 0/1\ndb-0 1/1\nweb-\033[31m 1/1\n'`;
  expect((await printed(['start', 'web'], script)).stdout).toBe('web-1\nweb-2\n:4\n');
});

test('kubectl is asked about the namespace and the user of the command line', async () => {
  const script = 'echo "$@" | tr " " "\n"';
  const { stdout } = await printed(['start', '-n', 'shop', '--as', 'jane', ''], script);
  expect(stdout).toContain('--namespace=shop\n--as=jane\n');
});

test('an error of kubectl is silent', async () => {
  const script = 'echo you must be logged in >&2; exit 1';
  expect(await printed(['start', ''], script)).toEqual({ code: 0, stdout: ':4\n', stderr: '' });
});

test('a kubectl that asks for something gets no answer', async () => {
  expect((await printed(['start', ''], 'read -r password; echo web')).stdout).toBe('web\n:4\n');
});
