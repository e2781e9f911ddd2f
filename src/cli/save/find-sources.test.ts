import { expect, test } from 'vitest';
import { captureOf, recording, targetPod } from '../request/testing/request-objects.ts';
import { requestScene } from '../request/testing/request-scene.ts';
import { findSources } from './find-sources.ts';
import { saveArguments } from './save-arguments.ts';

const { signal } = new AbortController();
const asked = saveArguments({ positionals: [], flags: new Set(), values: new Map() }, 0);
const web = { kind: 'workload', type: 'deployment', name: 'web' } as const;
const labels = { app: 'web' };
const captures = ['web-1-a', 'other', 'gone'].map((name) =>
  captureOf(name, [recording({ uid: `uid-${name}` })]),
);

/** The ReplicaSet of the Pod `other` is not one of the Deployment. */
const pods = [
  targetPod({ name: 'web-1-a', labels }),
  targetPod({ name: 'other', labels: { ...labels, orphan: '' } }),
];

test('of a workload, what others with its labels have is not saved, and what its Pods have left is', async () => {
  await using scene = await requestScene({ pods, captures });
  const { sources, warnings } = await findSources(scene.cluster, web, { asked, signal });
  expect(JSON.stringify(sources)).toContain('web-1-a');
  expect(JSON.stringify(sources)).toContain('gone');
  expect(JSON.stringify(sources)).not.toContain('other');
  expect(warnings).toEqual([]);
});

test('whoever may not see Pods gets all, and is told so', async () => {
  await using scene = await requestScene({
    pods,
    captures,
    answer({ path }, refuse) {
      const isPods = path.endsWith('/pods');
      if (isPods) refuse(403, 'Forbidden', 'pods is forbidden');
      return isPods;
    },
  });
  const { sources, warnings } = await findSources(scene.cluster, web, { asked, signal });
  expect(sources).toHaveLength(3);
  expect(warnings).toEqual([expect.stringContaining('may be among these: pods is forbidden')]);
});
