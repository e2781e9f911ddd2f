import { describe, expect, test } from 'vitest';
import { servedCapture } from '../access/served-capture.ts';
import { testCapture } from '../api/testing/memory-captures.ts';
import type { CaptureEntry } from './capture-entry.ts';
import { remainsOf, tombstones } from './tombstones.ts';

function entry(key: string, version = 1): CaptureEntry {
  return {
    key,
    namespace: 'shop',
    name: key,
    uid: key,
    addedVersion: version,
    version,
    stateVersion: version,
    isDeleted: true,
    capture: remainsOf(testCapture({ name: key })),
    claims: [],
    hasNewCounters: false,
  };
}

/** Each takes 1 KiB. */
const bounds = { bytes: 10 * 1_024, bytesPerNode: 8 * 1_024 };

function keysIn(of: ReturnType<typeof tombstones>): readonly string[] {
  return of.all().map(({ key }) => key);
}

test('a Node has no more tombstones than the bound of one allows', () => {
  const of = tombstones(bounds);
  of.add(entry('other'), 'node-2');
  for (let at = 0; at < 20; at += 1) of.add(entry(`a-${at}`), 'node-1');
  expect(keysIn(of)).toEqual(['other', ...[12, 13, 14, 15, 16, 17, 18, 19].map((at) => `a-${at}`)]);
});

test('over the bound of all, the Node that has most loses its oldest', () => {
  const of = tombstones(bounds);
  for (const node of ['b', 'c']) of.add(entry(node), node);
  for (let at = 0; at < 8; at += 1) of.add(entry(`a-${at}`), 'a');
  for (const node of ['d', 'e']) of.add(entry(node), node);
  expect(keysIn(of)).toEqual(['b', 'c', 'a-2', 'a-3', 'a-4', 'a-5', 'a-6', 'a-7', 'd', 'e']);
});

test('what is forgotten, replaced or old makes room', () => {
  const of = tombstones(bounds);
  for (let at = 0; at < 8; at += 1) of.add(entry(`a-${at}`, at), 'a');
  of.add(entry('a-0', 8), 'a');
  of.delete('a-1');
  of.forgetBefore(4);
  expect(keysIn(of)).toEqual(['a-4', 'a-5', 'a-6', 'a-7', 'a-0']);
  for (let at = 9; at < 12; at += 1) of.add(entry(`a-${at}`, at), 'a');
  expect(keysIn(of)).toHaveLength(8);
  expect(of.get('a-4')?.version).toBe(4);
});

describe('what is left of a capture', () => {
  const labels = { app: 'web' };

  test('is its name and its labels, without what was recorded', () => {
    const capture = testCapture({ labels, version: '7' });
    const { name, namespace, uid } = capture.metadata;
    expect(remainsOf(capture)).toMatchObject({
      metadata: { name, namespace, uid, labels, resourceVersion: '7' },
      status: { recordings: [] },
    });
  });

  test.for<readonly [string, Readonly<Record<string, string>>]>([
    ['long', { app: 'x'.repeat(4_096) }],
    ['many', Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`k${at}`, '']))],
  ])('has no labels if they are %s', ([, tooMuch]) => {
    expect(remainsOf(testCapture({ labels: tooMuch })).metadata).not.toHaveProperty('labels');
  });

  test('is served in its namespace if its newest recording was', () => {
    const [recording] = testCapture({}).status.recordings;
    if (!recording) throw new Error('no recording');
    const at = (startTime: string) => ({ ...recording, startTime });
    const left = remainsOf(
      testCapture({ recordings: [at('2026-01-02T00:00:00.9Z'), at('2026-01-01T00:00:00.000Z')] }),
    );
    const namespaceOf = (time: string) => ({ kind: 'created', atMs: Date.parse(time) }) as const;
    expect(servedCapture(left, namespaceOf('2026-01-02T00:00:00Z'))).toBe(left);
    expect(servedCapture(left, namespaceOf('2026-01-02T00:00:01Z'))).toBeUndefined();
  });
});
