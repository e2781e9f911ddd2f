import { Session } from 'node:inspector/promises';
import { expect, test } from 'vitest';
import { podWith } from '../testing/fixtures.ts';
import { policyObject } from '../testing/policy-object.ts';
import { type CapturePolicy, parsePolicy } from './capture-policy.ts';
import { noPolicies, type Policies, policiesAfter, policiesSelecting } from './policies.ts';

test('no version of the policies is kept, although the first one and a Pod as it was are', async () => {
  const first = policiesAfter(noPolicies, { kind: 'listed', items: [policy(1), policy(2, 'other')] });
  const old = podWith({ labels: { app: 'web' } });
  const now = { ...old };
  for (const pod of [old, now]) expect(policiesSelecting(pod, first)).toHaveLength(2);
  const versions: WeakRef<object>[] = [];
  let policies: Policies = first;
  for (let files = 2; files <= 50; files += 1) {
    policies = policiesAfter(policies, { kind: 'applied', object: policy(files) });
    expect(policiesSelecting(now, policies)).toHaveLength(2);
    versions.push(new WeakRef(policies.byNamespace.get('default')?.counting ?? {}));
  }
  await collectGarbage();
  // The newest one, and the one before it.
  expect(versions.filter((version) => version.deref()).length).toBeLessThanOrEqual(2);
  expect(policiesSelecting(old, policies).map(({ name }) => name)).toEqual(['other', 'web']);
  expect(first.byNamespace.size).toBe(1);
});

function policy(files: number, name = 'web'): CapturePolicy {
  const parsed = parsePolicy({ maxFiles: 100, maxFileMegabytes: 100 })(policyObject(name, { files }));
  if (parsed.kind === 'invalid') throw new Error(parsed.problem);
  return parsed.object;
}

async function collectGarbage(): Promise<void> {
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.collectGarbage');
  session.disconnect();
}
