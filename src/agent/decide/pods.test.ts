import { expect, test } from 'vitest';
import type { Change } from '../../kubernetes/list-watch.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import { podWith } from '../testing/fixtures.ts';
import { type Pods, podsAfter } from './pods.ts';

function pod(uid: string, resourceVersion = '1'): Pod {
  return podWith({ uid, resourceVersion });
}

function after(...changes: readonly Change<Pod>[]): string[] {
  const pods = changes.reduce<Pods>(podsAfter, new Map());
  return [...pods].map(([uid, known]) => `${uid}@${known.pod.resourceVersion} ${known.evidence}`);
}

test('what a list says is known by a list', () => {
  expect(after({ kind: 'listed', items: [pod('a'), pod('b')] })).toEqual(['a@1 listed', 'b@1 listed']);
});

test('a watch event replaces what a list said, and adds what it did not', () => {
  const listed = { kind: 'listed', items: [pod('a')] } as const;
  expect(
    after(listed, { kind: 'applied', object: pod('a', '2') }, { kind: 'applied', object: pod('b', '3') }),
  ).toEqual(['a@2 watched', 'b@3 watched']);
});

test('a Pod of the same name is another one by its UID', () => {
  const old = { kind: 'applied', object: pod('a') } as const;
  expect(after(old, { kind: 'applied', object: pod('b') }, { kind: 'deleted', object: pod('a') })).toEqual([
    'b@1 watched',
  ]);
});

test('a new list drops what is gone, and does not make an event that it repeats less certain', () => {
  const before = [
    { kind: 'applied', object: pod('a', '2') },
    { kind: 'applied', object: pod('b', '2') },
  ] as const;
  expect(after(...before, { kind: 'listed', items: [pod('a', '2'), pod('c', '5')] })).toEqual([
    'a@2 watched',
    'c@5 listed',
  ]);
  expect(after(...before, { kind: 'listed', items: [pod('a', '1')] })).toEqual(['a@1 listed']);
});
