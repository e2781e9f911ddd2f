import { expect, test } from 'vitest';
import type { Pod } from '../../kubernetes/pod.ts';
import { podWith } from '../testing/fixtures.ts';
import { mayDelete } from './may-delete.ts';
import type { DeleteReason } from './plan.ts';

const limits = { maxFiles: 100, maxFileMegabytes: 100 };
const pod = podWith();
const annotated = { ...pod, annotations: { 'tcpdump.antrea.io': '5' } };

test.each<[DeleteReason, string, Pod | undefined, boolean]>([
  ['AnnotationRemoved', 'it asks for nothing', pod, true],
  ['AnnotationRemoved', 'it asks for a capture', annotated, false],
  [
    'AnnotationRemoved',
    'it asks for something that is refused',
    { ...pod, annotations: { 'tcpdump.antrea.io': 'x' } },
    false,
  ],
  ['AnnotationRemoved', 'it is gone, and its files stay for the retention time', undefined, false],
  ['AnnotationRemoved', 'another Pod has its name', { ...pod, uid: 'uid-2' }, false],
  ['RetentionOver', 'it is gone', undefined, true],
  ['RetentionOver', 'another Pod has its name', { ...annotated, uid: 'uid-2' }, true],
  ['RetentionOver', 'it has failed', { ...annotated, phase: 'Failed' }, true],
  ['RetentionOver', 'it runs', annotated, false],
  ['Evicted', 'it is gone', undefined, true],
  ['Evicted', 'it has succeeded', { ...annotated, phase: 'Succeeded' }, true],
  ['Evicted', 'it runs', annotated, false],
])('%s: the Pod is read, and %s', async (why, _what, now, expected) => {
  const read: string[] = [];
  const answer = await mayDelete({ pod, why }, limits, async ({ namespace, name }) => {
    read.push(`${namespace}/${name}`);
    return now;
  });
  expect(answer).toBe(expected);
  expect(read).toEqual(['default/web']);
});

test('nothing is deleted when the Pod cannot be read', async () => {
  const unreachable = () => Promise.reject(new Error('unreachable'));
  await expect(mayDelete({ pod, why: 'RetentionOver' }, limits, unreachable)).rejects.toThrow('unreachable');
});
