import { expect, test } from 'vitest';
import { parseCliArguments } from './cli-arguments.ts';
import type { CliCommand } from './cli-command.ts';

const save: Pick<CliCommand, 'name' | 'options' | 'positionals'> = {
  name: 'save',
  positionals: 'captures',
  options: [
    { name: 'to', value: 'FILE', description: 'where to' },
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['wide', 'json', 'name'], description: 'how' },
    { name: 'freeze-on', value: 'CAUSE[,CAUSE]', choices: ['restart', 'failed'], description: 'when' },
    { name: 'interface', short: 'i', value: 'NAME', isRepeatable: true, description: 'which' },
    { name: 'watch', short: 'w', description: 'go on' },
    { name: 'all-namespaces', short: 'A', description: 'everywhere' },
  ],
};

function parse(line: string) {
  const parsed = parseCliArguments(save, line.split(' '));
  if (parsed.kind !== 'arguments') return parsed;
  const { given, kubectlFlags, namespace } = parsed;
  return {
    positionals: given.positionals,
    flags: [...given.flags],
    values: Object.fromEntries(given.values),
    kubectlFlags,
    namespace,
  };
}

const nothing = { positionals: [], flags: [], values: {}, kubectlFlags: [], namespace: undefined };

test.each([
  ['web db --to a.pcapng', { positionals: ['web', 'db'], values: { to: ['a.pcapng'] } }],
  ['--to=a=b', { values: { to: ['a=b'] } }],
  ['--to -', { values: { to: ['-'] } }],
  ['--to -5m', { values: { to: ['-5m'] } }],
  ['-', { positionals: ['-'] }],
  ['-- --to -w', { positionals: ['--to', '-w'] }],
  ['-o json', { values: { output: ['json'] } }],
  ['-ojson', { values: { output: ['json'] } }],
  ['-o=json', { values: { output: ['json'] } }],
  ['-Aw', { flags: ['all-namespaces', 'watch'] }],
  [
    '-Awojson web',
    { flags: ['all-namespaces', 'watch'], values: { output: ['json'] }, positionals: ['web'] },
  ],
  ['--watch --watch=false', {}],
  ['-i eth0 --interface lo', { values: { interface: ['eth0', 'lo'] } }],
  ['--freeze-on failed,restart', { values: { 'freeze-on': ['failed,restart'] } }],
  ['-n shop', { namespace: 'shop' }],
  ['-nshop', { namespace: 'shop' }],
  ['--namespace=', {}],
  ['--as jane --as-group a --as-group=b', { kubectlFlags: ['--as=jane', '--as-group=a', '--as-group=b'] }],
  ['-v6 -s https://a', { kubectlFlags: ['--v=6', '--server=https://a'] }],
  ['--insecure-skip-tls-verify', { kubectlFlags: ['--insecure-skip-tls-verify=true'] }],
])('%s', (line, expected) => {
  expect(parse(line)).toEqual({ ...nothing, ...expected });
});

test.each(['-h', '--help', 'web --to a --help', '-Ah'])('%s asks for help', (line) => {
  expect(parse(line)).toEqual({ kind: 'help' });
});

test.each([
  ['--too a', 'there is no option --too: did you mean --to?'],
  ['--contxt a', 'there is no option --contxt: did you mean --context?'],
  ['--watch=perhaps', '--watch takes no value, but "perhaps" was given'],
  ['-w=perhaps', '-w takes no value, but "perhaps" was given'],
  ['--to', '--to needs a value: --to FILE'],
  ['--to=', 'the value of --to is empty'],
  [
    '--to --watch',
    '--to needs a value, but the option --watch follows: if that is the value, write --to=--watch',
  ],
  ['--to a --to b', '--to is given twice'],
  ['-o jsom', '--output must be wide, json or name, not "jsom": did you mean json?'],
  ['--freeze-on restart,oops', '--freeze-on must be restart or failed, not "oops"'],
  [
    '-x',
    'there is no option -x: the options are --to, --output, --freeze-on, --interface, --watch, --all-namespaces, --help, and those of kubectl',
  ],
])('%s is wrong', (line, message) => {
  expect(parse(line)).toEqual({ kind: 'invalid', message });
});

test('an option with a control character is quoted', () => {
  expect(parse('--a\u001b[31m')).toMatchObject({
    message: expect.stringContaining(String.raw`"--a\u001b[31m"`),
  });
});

test('a command without arguments takes none', () => {
  expect(parseCliArguments({ ...save, positionals: 'none' }, ['web'])).toEqual({
    kind: 'invalid',
    message: 'save takes no arguments, but "web" is one',
  });
});
