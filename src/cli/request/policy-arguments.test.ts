import { describe, expect, test } from 'vitest';
import type { Targets } from '../api/targets.ts';
import { policyArguments } from './policy-arguments.ts';
import { givenArguments } from './testing/request-objects.ts';

const nowMs = Date.parse('2026-11-30T12:00:00.250Z');
const web: Targets = { kind: 'workload', type: 'deployment', name: 'web' };

function policy(options: Record<string, string>, targets: Targets = web) {
  return policyArguments(givenArguments([], options), targets, nowMs);
}

describe('a policy', () => {
  test('is not asked for without --policy', () => expect(policy({})).toBeUndefined());

  test.each([
    [{}, '2026-12-01T12:00:00Z'],
    [{ expires: '90m' }, '2026-11-30T13:30:00Z'],
    [{ expires: '2027-01-31T18:00:00+01:00' }, '2027-01-31T18:00:00+01:00'],
    [{ expires: 'never' }, undefined],
  ])('with %j expires at %s', (options, expires) => {
    expect(policy({ policy: 'p', ...options })).toEqual({ name: 'p', expires, selects: web });
  });

  test('selects by labels', () => {
    expect(policy({ policy: 'p' }, { kind: 'selector', selector: 'app=web' })).toMatchObject({
      selects: { kind: 'labels', text: 'app=web', selector: [{ key: 'app', operator: 'In' }] },
    });
  });

  test.each<[Record<string, string>, Targets, string]>([
    [{ expires: '1h' }, web, '--expires is the end of a policy'],
    [{ policy: 'Web' }, web, 'must be the name of an object'],
    [{ policy: 'a/b' }, web, 'must be the name of an object'],
    [{ policy: 'p', expires: 'soon' }, web, 'must be a duration from 1s to 168h'],
    [
      { policy: 'p', expires: '2026-02-30T00:00:00Z' },
      web,
      'a time in RFC 3339, such as 2026-12-01T12:00:00Z',
    ],
    [{ policy: 'p', expires: '2026-11-30T11:59:59Z' }, web, 'is over already'],
    [{ policy: 'p' }, { kind: 'pods', names: ['web'] }, 'a policy selects Pods by their labels'],
    [{ policy: 'p' }, { kind: 'selector', selector: 'app===' }, 'a term is none of'],
  ])('%j of %j is wrong', (options, targets, message) => {
    expect(() => policy(options, targets)).toThrow(
      expect.objectContaining({ exitCode: 2, message: expect.stringContaining(message) }),
    );
  });
});
