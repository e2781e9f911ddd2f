import { expect, test } from 'vitest';
import { kubectlFlagAt, kubectlWith } from './kubectl-flags.ts';

test.each([
  [['--context', 'eu'], 'context', 'eu', 2],
  [['--context=eu', 'web'], 'context', 'eu', 1],
  [['--context=', 'web'], 'context', '', 1],
  [['--token=a=b'], 'token', 'a=b', 1],
  [['-n', 'shop'], 'namespace', 'shop', 2],
  [['-n=shop'], 'namespace', 'shop', 1],
  [['-nshop'], 'namespace', 'shop', 1],
  [['-n='], 'namespace', '', 1],
  [['-s', 'https://api:6443'], 'server', 'https://api:6443', 2],
  [['-v6'], 'v', '6', 1],
  [['--v', '6'], 'v', '6', 2],
  [['--insecure-skip-tls-verify', 'web'], 'insecure-skip-tls-verify', 'true', 1],
  [['--insecure-skip-tls-verify=false'], 'insecure-skip-tls-verify', 'false', 1],
  // As kubectl does: the value may look like a flag.
  [['--as', '--as-group'], 'as', '--as-group', 2],
  [['--as-user-extra=scopes=a'], 'as-user-extra', 'scopes=a', 1],
])('%j begins with --%s', (args, name, value, taken) => {
  expect(kubectlFlagAt(args)).toMatchObject({ kind: 'flag', flag: { name }, value, taken });
});

test.each([
  [[]],
  [['web']],
  [['--']],
  [['-']],
  [['--filter', 'x']],
  [['-w']],
  [['-An']],
  [['--Context=eu']],
  [['']],
])('%j does not begin with a flag of kubectl', (args) => {
  expect(kubectlFlagAt(args)).toBeUndefined();
});

test.each([
  [['--context'], '--context needs a value: --context NAME'],
  [['-n'], '-n needs a value: -n NAMESPACE'],
  [['--match-server-version=maybe'], '--match-server-version is true or false, not "maybe"'],
])('%j is refused: %s', (args, message) => {
  expect(kubectlFlagAt(args)).toEqual({ kind: 'problem', message });
});

test('the flags are passed on in their order, repeated ones too, and the last namespace holds', () => {
  const given = [['-n', 'a'], ['--as-group=x'], ['--as-group', 'y'], ['--as', '-'], ['-nb']].map((args) => {
    const flag = kubectlFlagAt(args);
    if (flag?.kind !== 'flag') throw new Error('not a flag');
    return flag;
  });
  expect(kubectlWith('kubectl', given, {})).toEqual({
    program: 'kubectl',
    flags: ['--as-group=x', '--as-group=y', '--as=-'],
    namespace: 'b',
    env: {},
  });
  expect(kubectlWith('kubectl', [], {}).namespace).toBeUndefined();
});
