import { expect, test } from 'vitest';
import type { Change } from '../../kubernetes/list-watch.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import { podWith } from '../testing/fixtures.ts';
import { type PodsByUid, podsAfter } from './pods-by-uid.ts';

function pod(uid: string, resourceVersion = '1'): Pod {
  return podWith({ uid, resourceVersion });
}

function after(...changes: readonly Change<Pod>[]): string[] {
  const pods = changes.reduce<PodsByUid>(podsAfter, new Map());
  return [...pods].map(([uid, { resourceVersion }]) => `${uid}@${resourceVersion}`);
}

test('a watch event replaces a listed Pod, or adds one that was not listed', () => {
  const listed = { kind: 'listed', items: [pod('a'), pod('b')] } as const;
  expect(
    after(listed, { kind: 'applied', object: pod('a', '2') }, { kind: 'applied', object: pod('c', '3') }),
  ).toEqual(['a@2', 'b@1', 'c@3']);
});

test('a Pod that reuses a name is another Pod, by its UID', () => {
  const old = { kind: 'applied', object: pod('a') } as const;
  expect(after(old, { kind: 'applied', object: pod('b') }, { kind: 'deleted', object: pod('a') })).toEqual([
    'b@1',
  ]);
});

test('a new list drops Pods that are gone', () => {
  const before = [
    { kind: 'applied', object: pod('a', '2') },
    { kind: 'applied', object: pod('b', '2') },
  ] as const;
  expect(after(...before, { kind: 'listed', items: [pod('a', '3'), pod('c', '5')] })).toEqual(['a@3', 'c@5']);
});
