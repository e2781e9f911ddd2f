import { describe, expect, it } from 'vitest';
import { type Claim, claim } from './cluster-claim.ts';
import type { Owner } from './cluster-owner.ts';
import type { ExistingCluster } from './existing-cluster.ts';

const ours: Owner = { checkout: '/a', version: 'v', since: '2026-01-02T03:04:05.000Z', complete: true };
const theirs: Owner = { ...ours, checkout: '/b' };

describe('claim by the checkout /a', () => {
  const cases: readonly (readonly [string, ExistingCluster, Claim['kind']])[] = [
    ['no cluster', { owner: undefined, isRunning: false, ownerCheckoutExists: false }, 'nothing'],
    [
      'processes without an owner',
      { owner: undefined, isRunning: true, ownerCheckoutExists: false },
      'leftover',
    ],
    ['our running cluster', { owner: ours, isRunning: true, ownerCheckoutExists: true }, 'ours'],
    ['our cluster after a reboot', { owner: ours, isRunning: false, ownerCheckoutExists: true }, 'leftover'],
    [
      "our cluster, its 'up' killed",
      { owner: { ...ours, complete: false }, isRunning: true, ownerCheckoutExists: true },
      'leftover',
    ],
    [
      "another checkout's running cluster",
      { owner: theirs, isRunning: true, ownerCheckoutExists: true },
      'theirs',
    ],
    [
      "another checkout's dead cluster",
      { owner: theirs, isRunning: false, ownerCheckoutExists: true },
      'leftover',
    ],
    [
      "another checkout's cluster, its 'up' killed",
      { owner: { ...theirs, complete: false }, isRunning: true, ownerCheckoutExists: true },
      'leftover',
    ],
    [
      "a deleted checkout's running cluster",
      { owner: theirs, isRunning: true, ownerCheckoutExists: false },
      'leftover',
    ],
  ];
  it.each(cases)('%s', (_name, existing, kind) => {
    expect(claim(existing, '/a').kind).toBe(kind);
  });

  it('names the owner and the command that removes the cluster', () => {
    expect(claim({ owner: theirs, isRunning: true, ownerCheckoutExists: true }, '/a')).toEqual({
      kind: 'theirs',
      message:
        'the cluster of this machine belongs to /b, since 2026-01-02T03:04:05.000Z; to remove it, run: make -C /b cluster-down',
    });
  });
});
