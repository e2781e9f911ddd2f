import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { listCaptures, readCapture, watchCaptures } from './captures-client.ts';
import { answerObject, answerStatus, apiScene } from './testing/api-scene.ts';
import { captureObject } from './testing/capture-object.ts';

const { signal } = new AbortController();
const all = { namespace: undefined };
const fast = { backoff: { minMs: 1, maxMs: 4 } };

function sendList(response: ServerResponse, resourceVersion: string, names: readonly string[]): void {
  const items = names.map((name) => captureObject(name));
  answerObject(response, { kind: 'CaptureList', metadata: { resourceVersion }, items });
}

function sendEvent(response: ServerResponse, type: string, name: string, resourceVersion: string): void {
  const object = captureObject(name, { resourceVersion });
  response.write(`${JSON.stringify({ type, object })}\n`);
}

test('captures are listed by namespace and label, with the warnings of the hub', async () => {
  await using scene = await apiScene((_, response) => {
    response.setHeader('warning', '299 - "no answer from node2"');
    sendList(response, '1', ['web', 'db']);
  });
  const list = await listCaptures(
    scene.cluster,
    { namespace: 'shop', labelSelector: 'app in (web,db)' },
    signal,
  );
  expect(list.captures).toEqual([captureObject('web'), captureObject('db')]);
  expect(list.warnings).toEqual(['no answer from node2']);
  await listCaptures(scene.cluster, all, signal);
  expect(scene.requests).toMatchObject([
    {
      path: '/apis/podcap.dev/v1alpha1/namespaces/shop/captures',
      query: { labelSelector: 'app in (web,db)' },
    },
    { path: '/apis/podcap.dev/v1alpha1/captures', query: {} },
  ]);
});

test('a capture of a newer hub is read: what is new is left out, and an unknown phase is Unknown', async () => {
  const newer = captureObject('web');
  const [recording] = newer.status.recordings;
  await using scene = await apiScene((_, response) => {
    answerObject(response, {
      ...newer,
      added: 1,
      status: { recordings: [{ ...recording, phase: 'Dreaming', x: 1 }] },
    });
  });
  expect(await readCapture(scene.cluster, { namespace: 'shop', name: 'web' }, signal)).toEqual({
    ...newer,
    status: { recordings: [{ ...recording, phase: 'Unknown' }] },
  });
});

test('a capture that does not exist is none, and a refusal is a failure in the words of the hub', async () => {
  await using scene = await apiScene(({ path }, response) => {
    if (path.endsWith('/gone'))
      answerStatus(response, 404, 'NotFound', 'captures.podcap.dev "gone" not found');
    else answerStatus(response, 403, 'Forbidden', 'you may not see captures in shop: ask for podcap-view');
  });
  expect(await readCapture(scene.cluster, { namespace: 'shop', name: 'gone' }, signal)).toBeUndefined();
  await expect(readCapture(scene.cluster, { namespace: 'shop', name: 'web' }, signal)).rejects.toMatchObject({
    message: 'you may not see captures in shop: ask for podcap-view',
    exitCode: 1,
  });
  await expect(listCaptures(scene.cluster, all, signal)).rejects.toThrow('ask for podcap-view');
});

test('what is no list of captures is a failure that says what is wrong', async () => {
  await using scene = await apiScene((_, response) => answerObject(response, { items: [{ metadata: {} }] }));
  await expect(listCaptures(scene.cluster, all, signal)).rejects.toThrow(
    /^the answer to \/apis\/podcap.dev\/v1alpha1\/captures is not what the API server sends: items.0.metadata.name: /,
  );
});

test('a watch shows all captures, then each change, over connections that are cut', async () => {
  const watches: ServerResponse[] = [];
  await using scene = await apiScene(({ query }, response) => {
    if (query['watch'] !== 'true') return sendList(response, '5', ['web', 'db']);
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    watches.push(response);
    if (watches.length === 1) {
      sendEvent(response, 'MODIFIED', 'web', '6');
      sendEvent(response, 'DELETED', 'db', '7');
      // Of a capture that is not known.
      sendEvent(response, 'DELETED', 'old', '8');
      setImmediate(() => response.destroy());
    } else sendEvent(response, 'ADDED', 'cart', '9');
    return undefined;
  });
  const changes: string[] = [];
  const interruptions: (string | undefined)[] = [];
  const options = { ...fast, onInterruption: (why: string | undefined) => interruptions.push(why) };
  for await (const { kind, capture } of watchCaptures(scene.cluster, all, signal, options)) {
    changes.push(`${kind} ${capture.metadata.name}`);
    if (capture.metadata.name === 'cart') break;
  }
  expect(changes).toEqual(['set web', 'set db', 'set web', 'deleted db', 'set cart']);
  expect(scene.requests.map(({ query }) => query['resourceVersion'])).toEqual(['0', '5', '8']);
  expect(interruptions).toEqual([expect.any(String), undefined]);
});

test('where a watch cannot go on, all captures are listed again, and those that are gone are deleted', async () => {
  let lists = 0;
  await using scene = await apiScene(({ query }, response) => {
    if (query['watch'] === 'true') {
      if (lists === 1) answerStatus(response, 410, 'Expired', 'too old');
      else response.writeHead(200).flushHeaders();
      return;
    }
    lists += 1;
    sendList(response, `${lists}`, lists === 1 ? ['web', 'db'] : ['web', 'cart']);
  });
  const changes: string[] = [];
  const interruptions: (string | undefined)[] = [];
  const options = { ...fast, onInterruption: (why: string | undefined) => interruptions.push(why) };
  for await (const { kind, capture } of watchCaptures(scene.cluster, all, signal, options)) {
    changes.push(`${kind} ${capture.metadata.name}`);
    if (capture.metadata.name === 'cart') break;
  }
  expect(changes).toEqual(['set web', 'set db', 'deleted db', 'set web', 'set cart']);
  // That is how a watch goes on at another replica.
  expect(interruptions).toEqual([]);
});

test('what a list lacks that is not whole is not taken for deleted', async () => {
  let lists = 0;
  await using scene = await apiScene(({ query }, response) => {
    if (query['watch'] === 'true') return answerStatus(response, 410, 'Expired', 'too old');
    lists += 1;
    if (lists === 2)
      response.setHeader('warning', '299 - "podcap: the list may lack captures: no answer from node2"');
    sendList(response, `${lists}`, lists === 1 ? ['web', 'db'] : lists === 2 ? ['web'] : ['cart']);
    return undefined;
  });
  const changes: string[] = [];
  for await (const { kind, capture } of watchCaptures(scene.cluster, all, signal, fast)) {
    changes.push(`${kind} ${capture.metadata.name}`);
    if (capture.metadata.name === 'cart') break;
  }
  expect(changes).toEqual(['set web', 'set db', 'set web', 'deleted web', 'deleted db', 'set cart']);
});

test('a capture that somebody unknown asked for does not hide the others', async () => {
  await using scene = await apiScene((_, response) => {
    const [recording] = captureObject('odd').status.recordings;
    const odd = {
      ...captureObject('odd'),
      status: { recordings: [{ ...recording, phase: 'New', requestedBy: { kind: 'New', by: 'x' } }] },
    };
    answerObject(response, { kind: 'CaptureList', items: [captureObject('web'), odd] });
  });
  const { captures } = await listCaptures(scene.cluster, all, signal);
  expect(captures).toMatchObject([
    { metadata: { name: 'web' } },
    { status: { recordings: [{ phase: 'Unknown', requestedBy: { kind: 'Unknown' } }] } },
  ]);
});

test('a watch that is refused at first fails, and so does one whose rights are taken away', async () => {
  let isAllowed = false;
  await using scene = await apiScene(({ query }, response) => {
    if (isAllowed && query['watch'] !== 'true') sendList(response, '1', ['web']);
    else answerStatus(response, 403, 'Forbidden', 'you may not see captures in shop');
  });
  const watching = () => Array.fromAsync(watchCaptures(scene.cluster, all, signal, fast));
  await expect(watching()).rejects.toMatchObject({
    message: 'you may not see captures in shop',
    exitCode: 1,
  });
  isAllowed = true;
  await expect(watching()).rejects.toThrow('you may not see captures in shop');
});

test('a watch of a hub that is not there fails at once', async () => {
  await using scene = await apiScene((_, response) => {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n');
  });
  await expect(Array.fromAsync(watchCaptures(scene.cluster, all, signal, fast))).rejects.toThrow(
    "Podcap's hub is not installed",
  );
});

test('a reader that stops closes the connection', async () => {
  let watch: ServerResponse | undefined;
  await using scene = await apiScene(({ query }, response) => {
    if (query['watch'] !== 'true') return sendList(response, '1', []);
    response.writeHead(200).flushHeaders();
    watch = response;
    return sendEvent(response, 'ADDED', 'web', '2');
  });
  for await (const _ of watchCaptures(scene.cluster, all, signal, fast)) break;
  expect(await until(() => watch?.closed, { what: 'the watch to be closed' })).toBe(true);
});

test('a watch ends when the signal aborts', async () => {
  const abort = new AbortController();
  await using scene = await apiScene(({ query }, response) => {
    if (query['watch'] === 'true') response.writeHead(200).flushHeaders();
    else sendList(response, '1', ['web']);
  });
  const watching = Array.fromAsync(watchCaptures(scene.cluster, all, abort.signal, fast));
  await until(() => scene.requests.length === 2, { what: 'the watch to be open' });
  abort.abort(new Error('Ctrl-C'));
  expect(await watching).toHaveLength(1);
});
