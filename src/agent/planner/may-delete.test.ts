import { expect, test } from 'vitest';
import type { Pod } from '../../kubernetes/pod.ts';
import { podWith } from '../testing/fixtures.ts';
import { policyObject } from '../testing/policy-object.ts';
import { type CapturePolicy, parsePolicy } from './capture-policy.ts';
import type { DeleteReason } from './decisions.ts';
import { mayDelete } from './may-delete.ts';

const limits = { maxFiles: 100, maxFileMegabytes: 100 };
const pod = podWith({ labels: { app: 'web' } });
const annotated = { ...pod, annotations: { 'tcpdump.antrea.io': '5' } };
const unixMs = () => Date.parse('2026-06-01T12:00:00Z');

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
  ['RetentionOver', 'it runs, and nothing is asked for', pod, true],
  ['Evicted', 'it is gone', undefined, true],
  ['Evicted', 'it has succeeded', { ...annotated, phase: 'Succeeded' }, true],
  ['Evicted', 'it runs', annotated, false],
  ['Evicted', 'it runs, and nothing is asked for', pod, true],
  ['Discarded', 'it is gone', undefined, true],
  ['Discarded', 'it runs', annotated, false],
])('%s: the Pod is read, and %s', async (why, _what, now, expected) => {
  const read: string[] = [];
  const answer = await mayDelete({ pod, why }, limits, {
    async readPod({ namespace, name }) {
      read.push(`${namespace}/${name}`);
      return now;
    },
    async listPolicies() {
      read.push('policies');
      return [];
    },
    unixMs,
  });
  expect(answer).toBe(expected);
  // Only where the answer depends on them.
  expect(read).toEqual(now === pod ? ['default/web', 'policies'] : ['default/web']);
});

const expired = { expires: '2026-06-01T12:00:00Z' };
const other = { selector: { matchLabels: { app: 'db' } } };

test.each<[DeleteReason, string, readonly CapturePolicy[] | 'forbidden', boolean]>([
  ['AnnotationRemoved', 'one selects the Pod', [policy({})], false],
  ['AnnotationRemoved', 'one selects the Pod and is refused', [policy({ files: 0 })], false],
  ['AnnotationRemoved', 'none selects it', [policy(other)], true],
  ['AnnotationRemoved', 'they may not be listed, so this agent carries none out', 'forbidden', true],
  ['RetentionOver', 'one selects the Pod', [policy(other), policy({})], false],
  ['RetentionOver', 'the one that selects it has expired', [policy(expired)], true],
  ['RetentionOver', 'they may not be listed', 'forbidden', false],
  ['Evicted', 'one selects the Pod', [policy({})], false],
  ['Evicted', 'they may not be listed', 'forbidden', false],
  ['Discarded', 'one selects the Pod', [policy({})], false],
])('%s: the policies of the namespace are listed, and %s', async (why, _what, policies, expected) => {
  const listed: string[] = [];
  const answer = await mayDelete({ pod, why }, limits, {
    readPod: async () => pod,
    async listPolicies(namespace) {
      listed.push(namespace);
      return policies;
    },
    unixMs,
  });
  expect(answer).toBe(expected);
  expect(listed).toEqual(['default']);
});

test('nothing is deleted while the selector of a policy cannot be read, until that policy expires', async () => {
  const may = (unreadable: CapturePolicy) =>
    mayDelete({ pod, why: 'AnnotationRemoved' }, limits, {
      readPod: async () => pod,
      listPolicies: async () => [unreadable],
      unixMs,
    });
  await expect(may(policy({ selector: 1 }))).rejects.toThrow('CapturePolicy web: spec.selector');
  expect(await may(policy({ selector: 1, ...expired }))).toBe(true);
});

test('nothing is deleted when the Pod or the policies cannot be read', async () => {
  const unreachable = () => Promise.reject(new Error('unreachable'));
  const deletion = { pod, why: 'RetentionOver' } as const;
  await expect(
    mayDelete(deletion, limits, { readPod: unreachable, listPolicies: async () => [], unixMs }),
  ).rejects.toThrow('unreachable');
  await expect(
    mayDelete(deletion, limits, { readPod: async () => pod, listPolicies: unreachable, unixMs }),
  ).rejects.toThrow('unreachable');
});

function policy(spec: object): CapturePolicy {
  const parsed = parsePolicy(limits)(policyObject('web', spec));
  if (parsed.kind === 'invalid') throw new Error(parsed.problem);
  return parsed.object;
}
