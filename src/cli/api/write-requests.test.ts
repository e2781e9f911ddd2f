import { expect, test } from 'vitest';
import { isAllowed } from './access-review.ts';
import { patchPodAnnotations, readPod } from './pods-client.ts';
import { createPolicy } from './policies-client.ts';
import { answerObject, answerStatus, apiScene } from './testing/api-scene.ts';
import { shopPod } from './testing/shop-server.ts';

const { signal } = new AbortController();
const pod = { namespace: 'shop', name: 'web', uid: 'uid-of-web' };

test('annotations are set and removed by a merge patch, for the Pod with that UID only', async () => {
  await using scene = await apiScene((_, response) => answerObject(response, shopPod({ name: 'web' })));
  const annotations = { 'podcap.dev/filter': 'tcp', 'podcap.dev/paused': undefined };
  expect(await patchPodAnnotations(scene.cluster, pod, annotations, signal)).toMatchObject({
    kind: 'patched',
    pod: { name: 'web', uid: 'uid-of-web' },
  });
  expect(scene.requests).toMatchObject([
    {
      method: 'PATCH',
      path: '/api/v1/namespaces/shop/pods/web',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: {
        metadata: {
          uid: 'uid-of-web',
          annotations: { 'podcap.dev/filter': 'tcp', 'podcap.dev/paused': null },
        },
      },
    },
  ]);
});

test('a patch that the API server refuses is a refusal in its words', async () => {
  const message = 'pods "web" is forbidden: only members of network-team may request captures';
  await using scene = await apiScene((_, response) => answerStatus(response, 403, 'Forbidden', message));
  expect(await patchPodAnnotations(scene.cluster, pod, {}, signal)).toEqual({
    kind: 'refused',
    status: 403,
    reason: 'Forbidden',
    message,
    canRetry: false,
  });
});

test('a Pod that was created again under its name is not patched', async () => {
  const message = 'Pod "web" is invalid: metadata.uid: Invalid value: "uid-of-web": field is immutable';
  await using scene = await apiScene((_, response) => answerStatus(response, 422, 'Invalid', message));
  expect(await patchPodAnnotations(scene.cluster, pod, {}, signal)).toMatchObject({
    kind: 'refused',
    reason: 'Conflict',
    message: 'Pod web in namespace shop was created again meanwhile: run the command again',
  });
});

test('a Pod that does not exist is none; any other refusal is a failure', async () => {
  await using scene = await apiScene(({ path }, response) => {
    if (path.endsWith('/gone')) answerStatus(response, 404, 'NotFound', 'pods "gone" not found');
    else answerStatus(response, 403, 'Forbidden', 'pods "web" is forbidden');
  });
  expect(await readPod(scene.cluster, { namespace: 'shop', name: 'gone' }, signal)).toBeUndefined();
  await expect(readPod(scene.cluster, pod, signal)).rejects.toThrow('pods "web" is forbidden');
});

test('a policy is created, and a name that is taken is a refusal', async () => {
  let isTaken = false;
  await using scene = await apiScene(({ body }, response) => {
    if (isTaken) answerStatus(response, 409, 'AlreadyExists', 'capturepolicies "web" already exists');
    else answerObject(response, { ...Object(body) }, 201);
    isTaken = true;
  });
  const policy = { namespace: 'shop', name: 'web', spec: { files: 5 } };
  expect(await createPolicy(scene.cluster, policy, signal)).toEqual({ kind: 'created' });
  expect(await createPolicy(scene.cluster, policy, signal)).toMatchObject({
    kind: 'refused',
    reason: 'AlreadyExists',
  });
  expect(scene.requests[0]).toMatchObject({
    method: 'POST',
    path: '/apis/policy.podcap.dev/v1alpha1/namespaces/shop/capturepolicies',
    body: {
      apiVersion: 'policy.podcap.dev/v1alpha1',
      kind: 'CapturePolicy',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { files: 5 },
    },
  });
});

test('a user is told what RBAC allows', async () => {
  await using scene = await apiScene((_, response) =>
    answerObject(response, { status: { allowed: true } }, 201),
  );
  const question = { verb: 'download', group: 'podcap.dev', resource: 'captures', subresource: 'log' };
  expect(await isAllowed(scene.cluster, { ...question, namespace: 'shop' }, signal)).toBe(true);
  await isAllowed(scene.cluster, { ...question, namespace: undefined }, signal);
  expect(scene.requests).toMatchObject([
    {
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      body: { spec: { resourceAttributes: { ...question, namespace: 'shop' } } },
    },
    { body: { spec: { resourceAttributes: { ...question, namespace: '' } } } },
  ]);
});
