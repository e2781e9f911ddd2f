import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { podWith, specOf } from '../testing/fixtures.ts';
import { policyObject } from '../testing/policy-object.ts';
import { type CapturePolicy, parsePolicy } from './capture-policy.ts';
import {
  crowdedNamespaces,
  mostCountingPolicies,
  noPolicies,
  type Policies,
  policiesAfter,
  policiesSelecting,
  rememberedPolicies,
  requestFor,
} from './policies.ts';

const limits = { maxFiles: 100, maxFileMegabytes: 100 };
const unixMs = Date.parse('2026-06-01T12:00:00Z');
const web = podWith({ labels: { app: 'web' } });

describe('what is asked for a Pod', () => {
  test('by the policy that selects it', () => {
    expect(requestOfWeb([policy('first')])).toEqual({
      kind: 'capture',
      spec: specOf(5, { policy: 'first' }),
      policy: 'first',
    });
  });

  test('by the oldest of several, then by that with the first name, whatever order they come in', () => {
    const older = policy('z', { files: 3 }, { creationTimestamp: '2025-12-31T23:59:59Z' });
    const policies = [policy('b'), policy('a'), older];
    expect(requestOfWeb(policies)).toMatchObject({ spec: { policy: 'z', files: 3 } });
    expect(requestOfWeb([policy('b'), policy('a')])).toMatchObject({ spec: { policy: 'a' } });
    expect(requestOfWeb([policy('a'), policy('b')])).toMatchObject({ spec: { policy: 'a' } });
  });

  test('by no policy of another namespace or for other Pods', () => {
    const policies = [
      policy('other', {}, { namespace: 'other' }),
      policy('db', { selector: { matchLabels: { app: 'db' } } }),
    ];
    expect(requestOfWeb(policies)).toEqual({ kind: 'none' });
  });

  test('by its own annotation instead of a policy, as a whole', () => {
    const pod = { ...web, annotations: { 'tcpdump.antrea.io': '2' } };
    const policies = listed([policy('first', { filter: 'tcp' })]);
    expect(requestFor(pod, { policies, limits, unixMs })).toEqual({ kind: 'capture', spec: specOf(2) });
  });

  test('is refused if its own annotation is refused, although a policy selects it', () => {
    const pod = { ...web, annotations: { 'tcpdump.antrea.io': 'x' } };
    const request = requestFor(pod, { policies: listed([policy('first')]), limits, unixMs });
    expect(request).toMatchObject({ kind: 'refused', refusal: { reason: 'InvalidAnnotation' } });
  });

  test('by the next policy once one that is refused has expired', () => {
    const expired = policy('a', { files: 1_000, expires: '2026-01-01T00:00:00Z' });
    expect(requestOfWeb([expired, policy('b')])).toMatchObject({ spec: { policy: 'b' } });
  });

  test('is refused if the oldest policy is, and not left to the next', () => {
    expect(requestOfWeb([policy('a', { files: 1_000 }), policy('b')])).toEqual({
      kind: 'refused',
      policy: 'a',
      refusal: {
        reason: 'InvalidPolicy',
        message: 'CapturePolicy a: spec.files=1000: must be a whole number of capture files from 1 to 100',
      },
    });
  });

  test('is refused on the host network', () => {
    const pod = { ...web, hostNetwork: true };
    const request = requestFor(pod, { policies: listed([policy('first')]), limits, unixMs });
    expect(request).toMatchObject({ kind: 'refused', refusal: { reason: 'HostNetwork' } });
  });

  test('is frozen by its own annotation too, if that is valid', () => {
    const frozen = (text: string) => {
      const pod = { ...web, annotations: { 'podcap.dev/freeze': text } };
      return requestFor(pod, { policies: listed([policy('first')]), limits, unixMs });
    };
    expect(frozen('now')).toMatchObject({ spec: { freeze: { text: 'now' } } });
    expect(frozen(' ')).toMatchObject({ spec: { freeze: { text: undefined } } });
  });
});

describe('a policy that expires', () => {
  const expires = '2026-06-01T12:00:10Z';

  test('asks until then, and says until when', () => {
    expect(requestOfWeb([policy('a', { expires })])).toMatchObject({
      spec: { policy: 'a' },
      untilUnixMs: unixMs + 10_000,
    });
  });

  test('leaves the Pod to the next one from then on', () => {
    const policies = listed([policy('a', { expires }), policy('b')]);
    const request = requestFor(web, { policies, limits, unixMs: unixMs + 10_000 });
    expect(request).toEqual({ kind: 'capture', spec: specOf(5, { policy: 'b' }), policy: 'b' });
  });
});

describe('the known policies', () => {
  const applied = (before: Policies, object: CapturePolicy) =>
    policiesAfter(before, { kind: 'applied', object });

  test('follow each change', () => {
    const one = applied(listed([policy('a')]), policy('a', { files: 7 }));
    expect(policiesSelecting(web, one).map(({ request }) => request)).toMatchObject([{ spec: { files: 7 } }]);
    const none = policiesAfter(one, { kind: 'deleted', object: policy('a') });
    expect(policiesSelecting(web, none)).toEqual([]);
    expect(none.byNamespace.size).toBe(0);
    expect(policiesSelecting(web, one)).toHaveLength(1);
  });

  test('of other namespaces stay as they were, so that their Pods are not compared again', () => {
    const before = listed([policy('a'), policy('b', {}, { namespace: 'other' })]);
    const after = applied(before, policy('c'));
    expect(after.byNamespace.get('other')).toBe(before.byNamespace.get('other'));
    expect(after.byNamespace.get('default')).not.toBe(before.byNamespace.get('default'));
  });

  test('are compared with a Pod once, however often it is planned', () => {
    const policies = listed([policy('a')]);
    expect(policiesSelecting(web, policies)).toBe(policiesSelecting(web, policies));
  });

  test('are the same after a change of what is not read, and after a list of the same', () => {
    const before = listed([policy('a'), policy('b')]);
    expect(applied(before, policy('a', {}, { resourceVersion: '9', annotations: { touched: 'x' } }))).toBe(
      before,
    );
    expect(policiesAfter(before, { kind: 'listed', items: [policy('b'), policy('a')] })).toBe(before);
    expect(policiesAfter(before, { kind: 'deleted', object: policy('c') })).toBe(before);
    expect(policiesAfter(before, { kind: 'listed', items: [policy('a')] })).not.toBe(before);
  });

  test('cost one comparison per Pod when one of them changes, and none when its selector does not', () => {
    let comparisons = 0;
    const pods = Array.from({ length: 250 }, (_, i) =>
      Object.defineProperty(podWith({ uid: `uid-${i}` }), 'labels', {
        get() {
          comparisons += 1;
          return { app: 'web' };
        },
      }),
    );
    const costOf = (policies: Policies) => {
      comparisons = 0;
      for (const pod of pods) policiesSelecting(pod, policies);
      return comparisons;
    };
    const all = listed(Array.from({ length: 100 }, (_, i) => policy(`p${i}`)));
    const db = { selector: { matchLabels: { app: 'db' } } };
    const another = applied(all, policy('p0', { files: 9 }));
    const unselecting = applied(another, policy('p0', db));
    const deleted = policiesAfter(unselecting, { kind: 'deleted', object: policy('p1') });
    const added = applied(deleted, policy('p1'));
    expect([all, another, unselecting, deleted, added].map(costOf)).toEqual([25_000, 0, 250, 0, 250]);
    const newest = applied(added, policy('p2', { files: 8 }));
    expect(policiesSelecting(pods[0] ?? web, newest).map(({ name }) => name)).toEqual(
      listedNames(newest).filter((name) => name !== 'p0'),
    );
  });

  test('select the same Pods after any changes as if they had always been so', () => {
    const change = fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      app: fc.constantFrom('web', 'db'),
      second: fc.integer({ min: 0, max: 3 }),
      isDeleted: fc.boolean(),
      isAsked: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(change), (changes) => {
        let policies = noPolicies;
        for (const { name, app, second, isDeleted, isAsked } of changes) {
          const creationTimestamp = `2026-01-01T00:00:0${second}Z`;
          const object = policy(name, { selector: { matchLabels: { app } } }, { creationTimestamp });
          policies = policiesAfter(policies, { kind: isDeleted ? 'deleted' : 'applied', object });
          if (isAsked) policiesSelecting(web, policies);
        }
        const now = policies.byNamespace.get('default')?.policies ?? [];
        expect(policiesSelecting(web, policies)).toEqual(policiesSelecting(web, listed(now)));
      }),
    );
  });

  test('count up to a number, the oldest of a namespace', () => {
    const later = policy('later', {}, { creationTimestamp: '2026-01-02T00:00:00Z' });
    const db = { selector: { matchLabels: { app: 'db' } } };
    const older = Array.from({ length: mostCountingPolicies }, (_, i) => policy(`p${i}`, db));
    const crowded = listed([later, ...older]);
    expect([policiesSelecting(web, crowded), crowdedNamespaces(crowded)]).toEqual([[], ['default']]);
    const fewer = policiesAfter(crowded, { kind: 'deleted', object: policy('p7') });
    expect([policiesSelecting(web, fewer), crowdedNamespaces(fewer)]).toEqual([[later], []]);
  });

  test('stay when they may not be listed any more', () => {
    const all = listed([policy('a')]);
    expect(policiesAfter(all, { kind: 'forbidden' })).toBe(all);
    expect(policiesAfter(noPolicies, { kind: 'forbidden' }).known).toBe('forbidden');
  });

  test('of an earlier agent select only Pods that it captured; of the others nothing is known', () => {
    const remembered = rememberedPolicies([policy('a')], new Set([web.uid]));
    const request = (uid: string, policies = remembered) =>
      requestFor({ ...web, uid }, { policies, limits, unixMs }).kind;
    expect([request(web.uid), request('uid-2')]).toEqual(['capture', 'unknown']);
    const expired = rememberedPolicies(
      [policy('a', { expires: '2026-01-01T00:00:00Z' })],
      new Set([web.uid]),
    );
    expect(request(web.uid, expired)).toBe('none');
  });
});

function listedNames({ byNamespace }: Policies): readonly string[] {
  return byNamespace.get('default')?.policies.map(({ name }) => name) ?? [];
}

function requestOfWeb(policies: readonly CapturePolicy[]) {
  return requestFor(web, { policies: listed(policies), limits, unixMs });
}

function listed(items: readonly CapturePolicy[]): Policies {
  return policiesAfter(noPolicies, { kind: 'listed', items });
}

function policy(name: string, spec: object = {}, metadata: object = {}): CapturePolicy {
  const parsed = parsePolicy(limits)(policyObject(name, spec, metadata));
  if (parsed.kind === 'invalid') throw new Error(parsed.problem);
  return parsed.object;
}
