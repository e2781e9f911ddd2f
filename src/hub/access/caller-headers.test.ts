import { expect, test } from 'vitest';
import { callerOf } from './caller-headers.ts';

const trust = {
  kind: 'trust',
  ca: '',
  authorities: [],
  allowedNames: new Set<string>(),
  userHeaders: ['x-remote-user', 'x-other-user'],
  uidHeaders: ['x-remote-uid'],
  groupHeaders: ['x-remote-group', 'x-other-group'],
  extraPrefixes: ['x-remote-extra-'],
} as const;

const latin1 = (text: string) => Buffer.from(text).toString('latin1');

test('reads user, uid, groups in their order, and extra', () => {
  const caller = callerOf(
    {
      'x-remote-user': ['jane'],
      'x-remote-uid': ['42'],
      'x-remote-group': ['b, c', 'a'],
      'x-other-group': ['d'],
      'x-remote-extra-scopes': ['one', 'two'],
      'x-remote-extra-example.org%2fcredential-id': ['X509SHA256=7'],
      'x-forwarded-for': ['10.1.1.1, 10.2.2.2', '10.3.3.3, 10.4.4.4'],
    },
    trust,
  );
  expect(caller).toEqual({
    user: 'jane',
    uid: '42',
    groups: ['b, c', 'a', 'd'],
    extra: { scopes: ['one', 'two'], 'example.org/credential-id': ['X509SHA256=7'] },
    from: '10.4.4.4',
  });
});

test('reads UTF-8, as the API server sends it', () => {
  const caller = callerOf(
    { 'x-remote-user': [latin1('jörg 🚀')], 'x-remote-group': [latin1('größer')] },
    trust,
  );
  expect(caller).toMatchObject({ user: 'jörg 🚀', groups: ['größer'] });
});

test.for([
  ['no user', {}],
  ['an empty user', { 'x-remote-user': [''] }],
  ['a user who is not UTF-8', { 'x-remote-user': ['j\xff'] }],
  ['a group that is not UTF-8', { 'x-remote-user': ['jane'], 'x-remote-group': ['\xff'] }],
  ['only groups', { 'x-remote-group': ['system:masters'] }],
] as const)('identifies nobody: %s', ([, lines]) => {
  expect(callerOf(lines, trust)).toBeUndefined();
});

test('takes the first header of users that has a value', () => {
  expect(callerOf({ 'x-remote-user': ['', 'ann'], 'x-other-user': ['bob'] }, trust)?.user).toBe('ann');
  expect(callerOf({ 'x-other-user': ['bob'] }, trust)?.user).toBe('bob');
});

test('keeps an extra key that cannot be decoded, and one named __proto__', () => {
  const extra = callerOf(
    { 'x-remote-user': ['jane'], 'x-remote-extra-50%': ['a'], 'x-remote-extra-__proto__': ['b'] },
    trust,
  )?.extra;
  expect(JSON.stringify(extra)).toBe('{"50%":["a"],"__proto__":["b"]}');
});

test.for([
  [[], ''],
  [['203.0.113.7'], '203.0.113.7'],
  [['10.0.0.1, 2001:db8::1'], '2001:db8::1'],
  [['10.0.0.1,'], ''],
  [['10.0.0.1, \u001b[31m'], ''],
] as const)('is from the last address of X-Forwarded-For: %s', ([values, from]) => {
  expect(callerOf({ 'x-remote-user': ['jane'], 'x-forwarded-for': values }, trust)?.from).toBe(from);
});
