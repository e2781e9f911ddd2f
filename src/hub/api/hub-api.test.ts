import { describe, expect, test } from 'vitest';
import { memoryCaptures, testCapture, testRecording } from './testing/memory-captures.ts';
import { startedHubApi } from './testing/started-hub-api.ts';

const root = '/apis/podcap.dev/v1alpha1';

describe('reading captures', () => {
  test('answers a GET with the object', async () => {
    const capture = testCapture();
    await using hub = await startedHubApi({ captures: memoryCaptures([capture]) });
    const answer = await hub.ask(`${root}/namespaces/shop/captures/web-0`);
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json',
      'x-content-type-options': 'nosniff',
    });
    expect(answer.json).toEqual(capture);
    expect(hub.authorized).toMatchObject([
      { verb: 'get', namespace: 'shop', name: 'web-0', caller: { user: 'jane' } },
    ]);
  });

  test('answers a list', async () => {
    const captures = memoryCaptures([testCapture(), testCapture({ name: 'db', version: '101' })]);
    await using hub = await startedHubApi({ captures });
    const answer = await hub.ask(`${root}/captures?limit=500`);
    expect(answer.json).toMatchObject({
      kind: 'CaptureList',
      apiVersion: 'podcap.dev/v1alpha1',
      metadata: { resourceVersion: '101' },
      items: [{ metadata: { name: 'web-0' } }, { metadata: { name: 'db' } }],
    });
    expect(hub.authorized).toMatchObject([{ verb: 'list', namespace: '', name: '' }]);
  });

  test('answers a Table', async () => {
    const recordings = [testRecording({ phase: 'Refused', reason: 'InvalidFilter' })];
    await using hub = await startedHubApi({ captures: memoryCaptures([testCapture({ recordings })]) });
    const answer = await hub.ask(`${root}/namespaces/shop/captures`, {
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
    });
    expect(answer.json).toMatchObject({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      rows: [
        {
          cells: expect.arrayContaining(['web-0', 'node-a', 'Refused:InvalidFilter', '2.4Mi', '1234']),
          object: { kind: 'PartialObjectMetadata', metadata: { name: 'web-0' } },
        },
      ],
    });
  });
});
