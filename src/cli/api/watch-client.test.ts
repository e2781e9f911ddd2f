import { expect, test } from 'vitest';
import { ApiError } from '../../kubernetes/api-error.ts';
import { answerStatus, apiScene } from './testing/api-scene.ts';
import { plainMessage, watchClient } from './watch-client.ts';

const patient = { path: '/api/v1/pods', responseMs: 60_000, idleMs: 60_000 };

/** The error of a stream that is opened and read to its end. */
async function failure(scene: Awaited<ReturnType<typeof apiScene>>, limits = patient): Promise<ApiError> {
  try {
    await using stream = await watchClient(scene.cluster).stream(limits);
    for await (const _ of stream);
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

test('a stream whose head does not come is given up', async () => {
  await using scene = await apiScene(() => {});
  const error = await failure(scene, { ...patient, responseMs: 20 });
  expect(error).toMatchObject({ reason: 'Silent', path: '/api/v1/pods' });
  expect(plainMessage(error)).toBe('no answer within 0.02 s');
});

test('a stream from which nothing comes is given up', async () => {
  await using scene = await apiScene((_, response) => response.writeHead(200).flushHeaders());
  const error = await failure(scene, { ...patient, idleMs: 20 });
  expect(error).toMatchObject({ reason: 'Silent' });
  expect(plainMessage(error)).toBe('nothing came for 0.02 s');
});

test('a stream that is cut is one whose server could not be reached', async () => {
  await using scene = await apiScene((_, response) => {
    response.writeHead(200);
    response.write('x', () => response.destroy());
  });
  expect(await failure(scene)).toMatchObject({ reason: 'Unreachable' });
});

test('a refusal has the status and the reason of the server, and its words', async () => {
  await using scene = await apiScene((_, response) => answerStatus(response, 410, 'Expired', 'too old'));
  const error = await failure(scene);
  expect(error).toMatchObject({ status: 410, reason: 'Expired' });
  expect(plainMessage(error)).toBe('too old');
});
