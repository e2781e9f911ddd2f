import { expect, onTestFinished, test } from 'vitest';
import { kubernetesClient } from '../../kubernetes/client.ts';
import { apiServer, refusal, type ScriptedAnswer } from '../../kubernetes/testing/api-server.ts';
import { memoryLog } from '../../kubernetes/testing/memory-logger.ts';
import { type AuthorizerLimits, authorizer } from './authorizer.ts';

const caller = {
  user: 'jane',
  uid: '42',
  groups: ['developers', 'system:authenticated'],
  extra: { 'example.org/scope': ['one', 'two'] },
  from: '10.0.0.1',
};
const list = { verb: 'list', namespace: 'shop', name: '' };
const download = { verb: 'download', namespace: 'shop', name: 'web' };

const allowed = review({ allowed: true });
const denied = review({ allowed: false });

function review(status: object): ScriptedAnswer {
  return { kind: 'json', status: 201, body: { kind: 'SubjectAccessReview', status } };
}

async function scene(answers: readonly ScriptedAnswer[], limits: Partial<AuthorizerLimits> = {}) {
  const server = await apiServer();
  const client = kubernetesClient(server.config);
  onTestFinished(async () => {
    await client[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  server.script.write.push(...answers);
  const log = memoryLog();
  const authorize = authorizer({ client, log, limits });
  return { server, log, authorize };
}

const never = new AbortController().signal;

test('asks with all that is known of the user and of the request', async () => {
  const { server, authorize } = await scene([allowed]);
  expect(await authorize(caller, { verb: 'get', namespace: 'shop', name: 'web.0' }, never)).toBeUndefined();
  expect(server.requests).toMatchObject([
    { method: 'POST', path: '/apis/authorization.k8s.io/v1/subjectaccessreviews' },
  ]);
  expect(server.requests[0]?.body).toEqual({
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: {
      user: 'jane',
      uid: '42',
      groups: ['developers', 'system:authenticated'],
      extra: { 'example.org/scope': ['one', 'two'] },
      resourceAttributes: {
        group: 'podcap.dev',
        version: 'v1alpha1',
        resource: 'captures',
        verb: 'get',
        namespace: 'shop',
        name: 'web.0',
      },
    },
  });
});

test.for([
  [
    'who may see a capture, but not download it',
    download,
    [denied, allowed],
    'you may see captures in shop, but not download them: verb download on captures.podcap.dev in namespace shop, or for web alone',
  ],
  [
    'who may see a capture, but not tap its Pod',
    { ...download, verb: 'tap' },
    [denied, allowed],
    'you may see captures in shop, but not tap them: verb tap on captures.podcap.dev in namespace shop, or for web alone',
  ],
  [
    'who may not even see it',
    download,
    [denied, denied],
    'you may not download captures in shop: verb download on captures.podcap.dev in namespace shop, or for web alone',
  ],
  [
    'who may not list them',
    list,
    [denied],
    'user "jane" may not list captures: verb list on captures.podcap.dev in namespace shop',
  ],
  [
    'who may not list those of all namespaces',
    { ...list, namespace: '' },
    [denied],
    'user "jane" may not list captures: verb list on captures.podcap.dev in all namespaces',
  ],
] as const)('says what is missing to a user %s', async ([, attributes, answers, message]) => {
  const { authorize } = await scene(answers);
  expect(await authorize(caller, attributes, never)).toEqual({
    kind: 'error',
    code: 403,
    reason: 'Forbidden',
    message,
  });
});

const unavailable = { kind: 'error', code: 503, reason: 'ServiceUnavailable', retryAfterSeconds: 5 };

test.for<readonly [string, ScriptedAnswer]>([
  ['refuses the hub', refusal(403, 'Forbidden')],
  ['fails', refusal(500, 'InternalError')],
  ['closes the connection', { kind: 'cut' }],
  ['does not answer', { kind: 'silence' }],
  ['answers something else', { kind: 'json', body: { status: { allowed: 'yes' } } }],
  ['answers nothing', { kind: 'json', body: {} }],
])('allows nothing while the API server %s', async ([, answer]) => {
  const { authorize, log } = await scene([answer, answer], { deadlineMs: 200 });
  expect(await authorize(caller, list, never)).toMatchObject(unavailable);
  expect(log.lines).toMatchObject([{ message: 'failed to review access' }]);
});

test('an answer that allows and denies is a denial', async () => {
  const { authorize } = await scene([review({ allowed: true, denied: true })]);
  expect(await authorize(caller, list, never)).toMatchObject({ code: 403 });
});

test('an error does not stay: the next request asks again', async () => {
  const { authorize } = await scene([refusal(500, 'InternalError'), allowed]);
  expect(await authorize(caller, list, never)).toMatchObject(unavailable);
  expect(await authorize(caller, list, never)).toBeUndefined();
});

test('asks once for requests at the same time and for a while after', async () => {
  const { server, authorize } = await scene([allowed]);
  const together = Array.from({ length: 20 }, () => authorize(caller, list, never));
  expect(new Set(await Promise.all(together))).toEqual(new Set([undefined]));
  expect(await authorize(caller, list, never)).toBeUndefined();
  expect(server.requests).toHaveLength(1);
});

test.for([
  ['user', { ...caller, user: 'joe' }, list],
  ['uid', { ...caller, uid: '43' }, list],
  ['groups', { ...caller, groups: ['developers'] }, list],
  ['extra', { ...caller, extra: {} }, list],
  ['verb', caller, { ...list, verb: 'watch' }],
  ['namespace', caller, { ...list, namespace: '' }],
  ['name', caller, { ...list, name: 'web' }],
] as const)('another %s is another question', async ([, otherCaller, otherAttributes]) => {
  const { authorize } = await scene([allowed, denied]);
  expect(await authorize(caller, list, never)).toBeUndefined();
  expect(await authorize(otherCaller, otherAttributes, never)).toMatchObject({ code: 403 });
});

test('what was answered does not count for ever', async () => {
  const { authorize } = await scene([denied, allowed, denied], { allowedMs: 0, deniedMs: 0 });
  expect(await authorize(caller, list, never)).toMatchObject({ code: 403 });
  expect(await authorize(caller, list, never)).toBeUndefined();
  expect(await authorize(caller, list, never)).toMatchObject({ code: 403 });
});

test('keeps no more answers than it may', async () => {
  const { server, authorize } = await scene([allowed, allowed, allowed], { cachedAnswers: 1 });
  await authorize(caller, list, never);
  await authorize({ ...caller, user: 'joe' }, list, never);
  await authorize(caller, list, never);
  expect(server.requests).toHaveLength(3);
});

test('a request that is gone stops waiting, and allows nothing', async () => {
  const { authorize } = await scene([{ kind: 'silence' }]);
  const gone = new AbortController();
  const asked = authorize(caller, list, gone.signal);
  gone.abort(new Error('the client is gone'));
  expect(await asked).toMatchObject({ code: 503 });
});
