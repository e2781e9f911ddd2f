import { expect, test } from 'vitest';
import { type CliCommand, type CommandContext, CommandFailure, type GivenArguments } from './cli-command.ts';
import { EndedBySignal } from './end-signals.ts';
import { runCli } from './run-cli.ts';
import { cliTerminal } from './testing/cli-terminal.ts';

const options: CliCommand['options'] = [{ name: 'to', value: 'FILE', description: 'where to write' }];

function commandThat(run: CliCommand['run'], name = 'save'): CliCommand {
  return {
    name,
    summary: 'write packets to a file',
    usage: 'POD... [--to FILE]',
    description: 'Writes packets to a file.',
    options,
    examples: [{ purpose: 'Save web', command: 'kubectl podcap save web' }],
    positionals: 'captures',
    run,
  };
}

async function runWith(
  run: CliCommand['run'],
  args: readonly string[],
  signal = new AbortController().signal,
) {
  const screen = cliTerminal({ env: { PATH: '/bin' } });
  const commands = [commandThat(run), commandThat(async () => 0, 'version')];
  const code = await runCli(args, { commands, terminal: screen.terminal, signal });
  return { code, stdout: screen.stdout(), stderr: screen.stderr() };
}

const unused = async () => {
  throw new Error('the command must not run');
};

test('a command gets what was given, and the kubectl to use', async () => {
  let ran: { readonly given: GivenArguments; readonly context: CommandContext } | undefined;
  const args = ['-n', 'shop', 'save', 'web', '--to', 'a', '--as=jane'];
  const { code } = await runWith(async (given, context) => {
    ran = { given, context };
    return 3;
  }, args);
  expect(code).toBe(3);
  expect(ran?.given.positionals).toEqual(['web']);
  expect(ran?.given.values.get('to')).toEqual(['a']);
  expect(ran?.context.kubectl).toEqual({
    program: 'kubectl',
    flags: ['--as=jane'],
    namespace: 'shop',
    env: { PATH: '/bin' },
  });
});

test('from 1.37 on, kubectl says which kubectl it is', async () => {
  let program: string | undefined;
  const screen = cliTerminal({ env: { KUBECTL_PATH: '/opt/kubectl' } });
  const command = commandThat(async (_, { kubectl }) => {
    ({ program } = kubectl);
    return 0;
  });
  const { signal } = new AbortController();
  await runCli(['save'], { commands: [command], terminal: screen.terminal, signal });
  expect(program).toBe('/opt/kubectl');
});

test.each([[], ['--help'], ['-h'], ['help'], ['-n', 'shop']])('%j lists the commands', async (...args) => {
  const { code, stdout } = await runWith(unused, args);
  expect(code).toBe(0);
  expect(stdout).toContain('  save        write packets to a file\n');
});

test.each([
  ['save', '--help'],
  ['help', 'save'],
])('%s %s prints the help of save', async (...args) => {
  const { code, stdout } = await runWith(unused, args);
  expect(code).toBe(0);
  expect(stdout).toContain('Usage: kubectl podcap save POD... [--to FILE]\n\nWrites packets to a file.\n');
  expect(stdout).toContain('  # Save web\n  kubectl podcap save web\n');
  expect(stdout).toContain(
    '      --to FILE             where to write\n  -h, --help                print this help\n',
  );
});

test.each([
  [['sav'], 'podcap: there is no command "sav": did you mean save?\n'],
  [['x\u001b'], 'podcap: there is no command "x\\u001b": the commands are save, version\n'],
  [
    ['--to', 'a', 'save'],
    'podcap: "--to" stands before the command, where only options of kubectl can be: write it after\n',
  ],
  [['help', 'sav'], 'podcap: there is no command "sav": did you mean save?\n'],
  [
    ['save', '--tto', 'a'],
    'podcap: there is no option --tto: did you mean --to?\n  see kubectl podcap save --help\n',
  ],
])('%j is wrong usage', async (args, message) => {
  expect(await runWith(unused, args)).toEqual({ code: 2, stdout: '', stderr: message });
});

test('--version is version', async () => {
  expect((await runWith(unused, ['--version'])).code).toBe(0);
});

test.each([
  [1, 'there is no hub', 'podcap: there is no hub\n'],
  [2, 'a Pod is required', 'podcap: a Pod is required\n  see kubectl podcap save --help\n'],
  [1, '', ''],
])('a command that fails with %i and %j', async (exitCode, message, stderr) => {
  const failing = async () => {
    throw new CommandFailure(message, exitCode);
  };
  expect(await runWith(failing, ['save'])).toEqual({ code: exitCode, stdout: '', stderr });
});

test('a command that fails in another way has a bug, and says so', async () => {
  const { code, stderr } = await runWith(async () => {
    throw new TypeError('x is undefined', { cause: new Error('y\u001b[2J') });
  }, ['save']);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^podcap: this is a bug in kubectl podcap: TypeError: x is undefined\n +at /);
  expect(stderr).toContain(String.raw`caused by Error: y\u001b[2J`);
});

test('a command that is interrupted has the exit code of the signal, and no message', async () => {
  const reason = new EndedBySignal('SIGINT');
  const interrupted = async () => {
    throw reason;
  };
  expect(await runWith(interrupted, ['save'], AbortSignal.abort(reason))).toEqual({
    code: 130,
    stdout: '',
    stderr: '',
  });
});
