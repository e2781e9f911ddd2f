import { expect, test } from 'vitest';
import { boundedUser } from './bounded-user.ts';

test.for([
  ['jane', 'jane'],
  ['system:serviceaccount:shop:reader', 'system:serviceaccount:shop'],
  ['system:serviceaccount:shop:other', 'system:serviceaccount:shop'],
  ['system:serviceaccount:shop', 'system:serviceaccount:shop'],
  ['system:serviceaccount:shop:a:b', 'system:serviceaccount:shop:a:b'],
  ['system:node:node-1', 'system:node:node-1'],
  ['', ''],
] as const)('the bounds of %j are those of %j', ([user, bounded]) => {
  expect(boundedUser({ user })).toBe(bounded);
});
