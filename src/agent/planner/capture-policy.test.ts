import { describe, expect, test } from 'vitest';
import { podWith } from '../testing/fixtures.ts';
import { policyObject } from '../testing/policy-object.ts';
import { type CapturePolicy, parsePolicy, requestBy } from './capture-policy.ts';
import { selects } from './policy-selector.ts';

const limits = { maxFiles: 100, maxFileMegabytes: 100 };
const labels = { app: 'web' };

describe('a policy whose selector cannot be read selects nothing, and says why', () => {
  const values = Array.from({ length: 99 }, (_, index) => `v${index}`);
  test.each<[what: string, spec: object]>([
    ['none', { selector: undefined }],
    ['null', { selector: null }],
    ['one that says nothing', { selector: {} }],
    ['an unknown operator', { selector: { matchExpressions: [{ key: 'app', operator: 'Near' }] } }],
    ['too many values', { selector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values }] } }],
    ['a field of a newer CRD', { selector: { matchLabels: labels, matchNames: ['web-0'] } }],
  ])('%s', (_what, spec) => {
    const read = parsed(policyObject('a', spec));
    expect(read.selectorProblem).toContain('spec.selector');
    expect([labels, {}, undefined].some((each) => selects(read.selector, each))).toBe(false);
  });

  test('a spec that is not an object', () => {
    const read = parsed({ ...policyObject('a'), spec: 'all' });
    expect(read).toMatchObject({ name: 'a', selectorProblem: expect.stringContaining('spec.selector') });
  });
});

test('a policy with a field of a newer CRD exists, and refuses its Pods', () => {
  const read = parsed(policyObject('a', { filtr: 'port 53' }));
  expect(selects(read.selector, labels)).toBe(true);
  expect(requestBy(read, podWith({ labels }))).toEqual({
    kind: 'refused',
    refusal: {
      reason: 'InvalidPolicy',
      message: 'CapturePolicy a: spec.filtr is unknown: did you mean filter?',
    },
  });
});

test('a policy that is being deleted selects nothing, whatever its finalizers are', () => {
  const metadata = { deletionTimestamp: '2026-05-01T00:00:00Z', finalizers: ['example.com/x'] };
  for (const spec of [{}, { selector: {} }, { selector: 1 }]) {
    const read = parsed(policyObject('a', spec, metadata));
    expect(read.selectorProblem).toBeUndefined();
    expect(selects(read.selector, labels)).toBe(false);
  }
});

test('an object without a name is no policy', () => {
  expect(parsePolicy(limits)({ metadata: { namespace: 'default' }, spec: {} })).toMatchObject({
    kind: 'invalid',
  });
});

function parsed(object: object): CapturePolicy {
  const read = parsePolicy(limits)(object);
  if (read.kind === 'invalid') throw new Error(read.problem);
  return read.object;
}
