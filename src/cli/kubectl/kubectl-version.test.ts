import { expect, test } from 'vitest';
import { isTooOld } from './kubectl-version.ts';

test.each([
  ['v1.22.17', true],
  ['v1.9.0', true],
  ['v0.99.0', true],
  ['v1.23.0', false],
  ['v1.36.3', false],
  ['v1.28.4-gke.100', false],
  ['v2.0.0', false],
  ['1.22', true],
  ['a fork', false],
])('kubectl %s is too old: %s', (version, tooOld) => {
  expect(isTooOld(version)).toBe(tooOld);
});
