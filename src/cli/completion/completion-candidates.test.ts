import { expect, test } from 'vitest';
import type { CliCommand } from '../cli-command.ts';
import { type Candidates, candidatesFor } from './completion-candidates.ts';

function command(
  name: string,
  positionals: CliCommand['positionals'],
  options: CliCommand['options'] = [],
): CliCommand {
  return {
    name,
    summary: `the summary of ${name}`,
    usage: '',
    description: '',
    examples: [],
    positionals,
    options,
    run: async () => 0,
  };
}

const commands = [
  command('start', 'targets', [
    { name: 'freeze-on', value: 'CAUSE[,CAUSE]', choices: ['restart', 'failed'], description: 'when' },
    { name: 'files', value: 'N', description: 'how many' },
    { name: 'interface', value: 'NAME', isRepeatable: true, description: 'which' },
  ]),
  command('save', 'captures', [{ name: 'to', value: 'FILE', description: 'where' }]),
  command('merge', 'files'),
  command('check', 'none', [
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['json'], description: '' },
  ]),
];

/** The last word, after the last space, is the one that is being typed. */
function candidates(line: string): Candidates {
  return candidatesFor(line.split(' '), commands);
}

function words(line: string): readonly string[] {
  const found = candidates(line);
  if (found.kind !== 'words') throw new Error(`${line} has ${found.kind}`);
  return found.words.map(({ word }) => word);
}

test('at first, the commands', () => {
  expect(words('')).toEqual(['start', 'save', 'merge', 'check', 'help']);
  expect(words('-n shop ')).toEqual(words(''));
});

test('the options of the command before those of kubectl, without those that were given', () => {
  expect(words('start --').slice(0, 4)).toEqual(['--freeze-on', '--files', '--interface', '--help']);
  expect(words('start --')).toContain('--namespace');
  expect(words('start --files 3 --interface eth0 -')).not.toContain('--files');
  expect(words('start --files 3 --interface eth0 -')).toContain('--interface');
});

test.each([
  ['check -o ', ['json']],
  ['check --output=j', ['json']],
  ['start --freeze-on ', ['restart', 'failed']],
  ['start --freeze-on restart,fa', ['restart,failed']],
  ['start --files ', []],
  ['check ', []],
])('%s: %j', (line, expected) => {
  expect(words(line)).toEqual(expected);
});

test.each(['merge ', 'merge a.pcapng ', 'save --to ', 'save --to=a', 'save --kubeconfig '])(
  '%s: files',
  (line) => {
    expect(candidates(line)).toEqual({ kind: 'files' });
  },
);

const pods = ['get', 'pods', '--no-headers'];
const captures = ['get', 'captures.podcap.dev', '--no-headers'];

test.each([
  ['start ', { kubectlArguments: pods }],
  ['start -n shop --as=jane ', { kubectlArguments: [...pods, '--namespace=shop', '--as=jane'] }],
  ['start web ', { kubectlArguments: pods, without: ['web'] }],
  ['start -- -', { kubectlArguments: pods }],
  ['start deployment/w', { kubectlArguments: ['get', 'deployment', '--no-headers'], prefix: 'deployment/' }],
  ['start deploy/w', { kubectlArguments: ['get', 'deployment', '--no-headers'], prefix: 'deploy/' }],
  ['start pod/', { kubectlArguments: pods, prefix: 'pod/' }],
  ['save sts/', { kubectlArguments: ['get', 'statefulset', '--no-headers'], prefix: 'sts/' }],
  ['save web ', { kubectlArguments: captures, without: ['web'] }],
  ['save --context test -nshop ', { kubectlArguments: [...captures, '--context=test', '--namespace=shop'] }],
  ['save -n ', { kubectlArguments: ['get', 'namespaces', '--no-headers'], without: ['NAME'] }],
  ['save --context ', { kubectlArguments: ['config', 'get-contexts', '--output=name'], without: ['NAME'] }],
])('%s: names that kubectl has', (line, expected) => {
  expect(candidates(line)).toMatchObject({ kind: 'names', ...expected });
});

test('a word can become the type of a workload', () => {
  expect(otherwise('start de')).toContain('deployment/');
  expect(otherwise('start ')).toEqual([]);
});

function otherwise(line: string): readonly string[] {
  const found = candidates(line);
  if (found.kind !== 'names') throw new Error(`${line} has ${found.kind}`);
  return found.otherwise.map(({ word }) => word);
}
