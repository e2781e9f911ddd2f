import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Owner, readOwner, writeOwner } from './cluster-owner.ts';

const owner: Owner = { checkout: '/a', version: 'v', since: '2026-01-02T03:04:05.000Z', complete: true };

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
    writeOwner(file, owner);
    expect(readOwner(file)).toEqual(owner);
  });

  it('is undefined if there is no file', () => {
    expect(readOwner(join(folder, 'owner.json'))).toBeUndefined();
  });

  it.each([['{"checkout": 1}'], ['null'], ['{']])('is undefined if the file contains %s', (content) => {
    writeFileSync(join(folder, 'owner.json'), content);
    expect(readOwner(join(folder, 'owner.json'))).toBeUndefined();
  });
});
