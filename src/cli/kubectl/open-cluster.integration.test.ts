import { text } from 'node:stream/consumers';
import { beforeAll, expect, test } from 'vitest';
import { built } from '../../../tools/go-program.ts';
import { openCluster } from './open-cluster.ts';
import { kubectlScene, sendObject } from './testing/kubectl-scene.ts';

// The first run builds kubectl, which takes minutes.
beforeAll(() => built('kubectl'), 1_200_000);

test('a request reaches the API server with the login of the kubeconfig, and its answer comes back', async () => {
  await using scene = await kubectlScene(
    (_, response) => {
      response.setHeader('warning', ['299 - "podcap: no answer from \\"node2\\""', '299 - "old"']);
      sendObject(response, { kind: 'PodList' });
    },
    { namespace: 'shop' },
  );
  const { signal } = new AbortController();
  await using cluster = await openCluster(scene.kubectl, ['/api/v1/pods'], signal);
  expect(cluster.namespace).toBe('shop');
  const answer = await cluster.request({ path: '/api/v1/pods?labelSelector=app%3Dweb', signal });
  expect(answer).toMatchObject({
    status: 200,
    contentType: 'application/json',
    warnings: ['podcap: no answer from "node2"', 'old'],
  });
  expect(await text(answer.body)).toBe('{"kind":"PodList"}');
  expect(scene.requests).toMatchObject([
    {
      method: 'GET',
      path: '/api/v1/pods?labelSelector=app%3Dweb',
      headers: { authorization: 'Bearer secret' },
    },
  ]);
});
