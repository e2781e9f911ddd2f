import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Claim,
  claim,
  type ExistingCluster,
  type Owner,
  readOwner,
  writeOwner,
} from './cluster-owner.ts';

const ours: Owner = { checkout: '/a', version: 'v', since: '2026-01-02T03:04:05.000Z', complete: true };
const theirs: Owner = { ...ours, checkout: '/b' };

describe('claim by the checkout /a', () => {
  const cases: readonly (readonly [string, ExistingCluster, Claim['kind']])[] = [
    ['nothing there', { owner: undefined, alive: false, ownerCheckoutExists: false }, 'nothing'],
    ['processes without an owner', { owner: undefined, alive: true, ownerCheckoutExists: false }, 'leftover'],
    ['our living cluster', { owner: ours, alive: true, ownerCheckoutExists: true }, 'ours'],
    ['our cluster after a reboot', { owner: ours, alive: false, ownerCheckoutExists: true }, 'leftover'],
    [
      "our cluster, its 'up' killed",
      { owner: { ...ours, complete: false }, alive: true, ownerCheckoutExists: true },
      'leftover',
    ],
    [
      "another checkout's living cluster",
      { owner: theirs, alive: true, ownerCheckoutExists: true },
      'theirs',
    ],
    [
      "another checkout's dead cluster",
      { owner: theirs, alive: false, ownerCheckoutExists: true },
      'leftover',
    ],
    [
      "another checkout's cluster, its 'up' killed",
      { owner: { ...theirs, complete: false }, alive: true, ownerCheckoutExists: true },
      'leftover',
    ],
    [
      "a deleted checkout's living cluster",
      { owner: theirs, alive: true, ownerCheckoutExists: false },
      'leftover',
    ],
  ];
  it.each(cases)('%s', (_name, standing, kind) => {
    expect(claim(standing, '/a').kind).toBe(kind);
  });

  it('says whose the cluster is and how to stop it', () => {
    expect(claim({ owner: theirs, alive: true, ownerCheckoutExists: true }, '/a')).toEqual({
      kind: 'theirs',
      message:
        "this machine's cluster belongs to /b, since 2026-01-02T03:04:05.000Z; to stop it: make -C /b cluster-down",
    });
  });
});

describe('the owner record', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'podcap-owner-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('is read back as it was written', () => {
    const file = join(folder, 'state/owner.json');
    writeOwner(file, ours);
    expect(readOwner(file)).toEqual(ours);
  });

  it('is undefined if there is none', () => {
    expect(readOwner(join(folder, 'owner.json'))).toBeUndefined();
  });

  it.each([['{"checkout": 1}'], ['null'], ['{']])('is undefined if the file has %s', (content) => {
    writeFileSync(join(folder, 'owner.json'), content);
    expect(readOwner(join(folder, 'owner.json'))).toBeUndefined();
  });
});
