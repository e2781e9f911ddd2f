import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import type { KubernetesClient } from '../../kubernetes/client.ts';
import { agentToken, testAccount } from '../testing/agent-token.ts';
import { tokenReviews } from './token-review.ts';

type Status = { readonly authenticated: boolean; readonly error?: string };

/** Reviews whose API server answers when the test says so. */
function reviewing() {
  const asked: ((status: Status | Error) => void)[] = [];
  const create: KubernetesClient['create'] = async () => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    asked.push((status) => (status instanceof Error ? reject(status) : resolve({ status })));
    return await promise;
  };
  const clock = { nowMs: 0 };
  const reviews = tokenReviews({ client: { create }, account: testAccount, nowMs: () => clock.nowMs });
  const { signal } = new AbortController();
  return {
    clock,
    asked: () => asked.length,
    /** Answers everything that has been asked, once it is that much. */
    answer: async (count: number, status: Status | Error) => {
      await until(() => asked.length >= count, { what: `${count} questions` });
      for (const each of asked) each(status);
    },
    stranger: async (token: string) => await reviews.ofStranger(token, signal),
    agent: async (token: string) => await reviews.ofAgent(token, signal),
  };
}

const refused: Status = { authenticated: false };

test('a refused token of a stranger is not asked about again for 10 s', async () => {
  const { asked, answer, clock, stranger } = reviewing();
  const token = agentToken();
  const first = stranger(token);
  await answer(1, refused);
  expect(await first).toMatchObject({ reason: 'TokenInvalid' });
  clock.nowMs = 9_999;
  expect(await stranger(token)).toEqual(await first);
  expect(asked()).toBe(1);
  const other = stranger(agentToken({ node: 'node-2' }));
  await answer(2, refused);
  await other;
  clock.nowMs = 10_000;
  const again = stranger(token);
  await answer(3, refused);
  expect(await again).toMatchObject({ reason: 'TokenInvalid' });
});

test('of many clients with the same refused token, few are asked about', async () => {
  const { asked, answer, stranger } = reviewing();
  const token = agentToken();
  const answers = Array.from({ length: 100 }, async () => await stranger(token));
  await answer(12, refused);
  expect(new Set((await Promise.all(answers)).map(({ kind }) => kind))).toEqual(new Set(['refused']));
  expect(asked()).toBe(12);
});

test('what an API server could not check is asked about again', async () => {
  const { answer, stranger } = reviewing();
  const token = agentToken();
  const first = stranger(token);
  await answer(1, new Error('ECONNRESET'));
  expect(await first).toMatchObject({ reason: 'TokenUnchecked' });
  const again = stranger(token);
  await answer(2, refused);
  expect(await again).toMatchObject({ reason: 'TokenInvalid' });
});

test('a connected agent does not wait for strangers, and is asked about whatever was refused before', async () => {
  const { asked, answer, stranger, agent } = reviewing();
  const token = agentToken();
  const first = stranger(token);
  await answer(1, refused);
  await first;
  for (let node = 0; node < 100; node += 1) void stranger(agentToken({ node: `node-${node}` }));
  await until(() => asked() >= 13, { what: 'the strangers to be asked about' });
  const again = agent(token);
  await answer(14, refused);
  expect(await again).toMatchObject({ reason: 'TokenInvalid' });
});
