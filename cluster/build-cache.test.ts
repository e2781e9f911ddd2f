import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CacheEntry, cached, entryFolder, pruneCache } from './build-cache.ts';

const entry: CacheEntry = { kind: 'bin', name: 'etcd', madeFrom: ['go.mod', 'go.sum', '-trimpath'] };

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'podcap-cache-'));
});
afterEach(() => {
  rmSync(cache, { recursive: true });
});

describe('entryFolder', () => {
  it('is the same for the same ingredients', () => {
    expect(entryFolder(cache, { ...entry })).toBe(entryFolder(cache, entry));
  });

  it.each([
    ['a different ingredient', ['go.mod', 'go.sum', '-race']],
    ['one more ingredient', ['go.mod', 'go.sum', '-trimpath', '']],
    ['the same text split elsewhere', ['go.modgo', '.sum', '-trimpath']],
    ['a different order', ['go.sum', 'go.mod', '-trimpath']],
  ])('is a different one for %s', (_name, madeFrom) => {
    expect(entryFolder(cache, { ...entry, madeFrom })).not.toBe(entryFolder(cache, entry));
  });
});

async function makeProgram(folder: string): Promise<void> {
  await Promise.resolve();
  writeFileSync(join(folder, 'etcd'), 'program');
}

async function failHalfway(folder: string): Promise<void> {
  writeFileSync(join(folder, 'half'), '');
  throw new Error('no compiler');
}

describe('cached', () => {
  it('makes an entry once', async () => {
    const first = await cached(cache, entry, makeProgram);
    expect(await cached(cache, entry, failHalfway)).toBe(first);
    expect(readFileSync(join(first, 'etcd'), 'utf8')).toBe('program');
  });

  it('leaves nothing behind of an entry that could not be made', async () => {
    await expect(cached(cache, entry, failHalfway)).rejects.toThrow('no compiler');
    expect(readdirSync(join(cache, 'bin'))).toEqual([]);
  });

  it('returns the same complete entry to two makers at the same time', async () => {
    const [one, other] = await Promise.all([
      cached(cache, entry, makeProgram),
      cached(cache, entry, makeProgram),
    ]);
    expect(one).toBe(other);
    expect(readdirSync(join(cache, 'bin'))).toHaveLength(1);
  });
});

describe('pruneCache', () => {
  const cases: readonly (readonly [string, string, number, boolean])[] = [
    ['an entry used a week ago', 'etcd-0123', 7, true],
    ['an entry used five weeks ago', 'etcd-0123', 35, false],
    ['an entry that is being made', 'etcd-0123.new-abc', 0.01, true],
    ['what a killed maker left two days ago', 'etcd-0123.new-abc', 2, false],
  ];
  it.each(cases)('%s', (_name, name, daysAgo, stays) => {
    const folder = join(cache, 'bin', name);
    mkdirSync(folder, { recursive: true });
    const used = new Date(Date.now() - daysAgo * 86_400_000);
    utimesSync(folder, used, used);
    pruneCache(cache);
    expect(existsSync(folder)).toBe(stays);
  });
});
