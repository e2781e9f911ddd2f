import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { linkPaths } from '../../link/protocol.ts';
import { agentToken, tokenReviewAnswer, tokenReviewPath } from '../testing/agent-token.ts';
import { type LinkScene, linkScene } from '../testing/link-scene.ts';
import type { TestAgent } from '../testing/test-agent.ts';

const tokenTimes = {
  checkAtLeastEveryMs: 50,
  checkAtMostEveryMs: 50,
  retryMs: 50,
  secondLookMs: 50,
  longestUncheckedMs: 3_600_000,
};

/** An agent whose token expires while it is connected, and that is asked for a fresh one many times before. */
async function expiringScene() {
  const scene = await linkScene({ tokenTimes });
  const agent = await scene.connect({ token: agentToken({ expiresAtMs: Date.now() + 1_000 }) });
  const asked = () => agent.requests.filter((request) => request === `GET ${linkPaths.token}`).length;
  return {
    scene,
    agent,
    /** When the token has been asked for that many more times. */
    async isAsked(times: number) {
      const before = asked();
      await until(() => asked() >= before + times || agent.isClosed(), { what: 'the token to be asked for' });
    },
    reasons: () =>
      scene.log.filter(({ message }) => message === 'an agent has gone').map(({ fields }) => fields),
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await scene[Symbol.asyncDispose]();
    },
  };
}

test.each<readonly [string, (agent: TestAgent, scene: LinkScene) => void]>([
  ['it sends a fresh one', (agent) => agent.setToken(agentToken())],
  [
    'no API server can be asked about it',
    (_agent, { api }) => void api.answers.set(tokenReviewPath, () => ({ kind: 'cut' })),
  ],
])('a link stays after its token has expired if %s', async (_what, prepare) => {
  await using expiring = await expiringScene();
  prepare(expiring.agent, expiring.scene);
  await expiring.isAsked(30);
  expect(expiring.agent.isClosed()).toBe(false);
});

test.each<readonly [string, string, (agent: TestAgent, scene: LinkScene) => void]>([
  ['has expired, and the agent sends no other', 'TokenExpired', () => {}],
  [
    'is followed by one of another Pod',
    'OtherAgent',
    (agent) => agent.setToken(agentToken({ podName: 'podcap-other' })),
  ],
  [
    'is followed by one of another Node',
    'OtherAgent',
    (agent) => agent.setToken(agentToken({ node: 'node-2', podName: 'podcap-node-1' })),
  ],
  ['is followed by something else', 'Malformed', (agent) => agent.setToken('secret')],
  ['is followed by more than a token', 'TokenExpired', (agent) => agent.setToken('x'.repeat(20_000))],
  [
    'is refused because its Pod has been deleted',
    'TokenInvalid',
    (agent, { api }) => {
      agent.setToken(agentToken());
      const refused = tokenReviewAnswer({ authenticated: false, error: 'the Pod has been deleted' });
      api.answers.set(tokenReviewPath, () => refused);
    },
  ],
])('a link ends if its token %s', async (_what, reason, prepare) => {
  await using expiring = await expiringScene();
  prepare(expiring.agent, expiring.scene);
  await until(() => expiring.agent.isClosed(), { what: 'the link to end' });
  await until(() => expiring.reasons().length > 0, { what: 'the log line' });
  expect(expiring.reasons()).toEqual([{ node: 'node-1', agent: 'podcap-node-1', reason }]);
});

test('it is logged once that tokens cannot be checked', async () => {
  await using expiring = await expiringScene();
  expiring.scene.api.answers.set(tokenReviewPath, () => ({ kind: 'cut' }));
  await expiring.isAsked(5);
  const lines = expiring.scene.log.filter(({ message }) => message.startsWith('failed to check'));
  expect(lines).toMatchObject([{ fields: { node: 'node-1', reason: 'TokenUnchecked' } }]);
});

test('one refusal that is taken back ends no link', async () => {
  await using expiring = await expiringScene();
  const { agent, scene } = expiring;
  agent.setToken(agentToken());
  await expiring.isAsked(1);
  scene.api.script.write.push(tokenReviewAnswer({ authenticated: false }));
  await expiring.isAsked(5);
  expect(agent.isClosed()).toBe(false);
});

test('an agent that sends no token stays no longer after its Pod has been deleted', async () => {
  await using scene = await linkScene({ tokenTimes });
  await using agent = await scene.connect({
    handlers: { [linkPaths.token]: (stream) => stream.respond({ ':status': 404 }, { endStream: true }) },
  });
  await until(() => agent.requests.length > 5, { what: 'the token to be asked for' });
  expect(agent.isClosed()).toBe(false);
  const refused = tokenReviewAnswer({ authenticated: false, error: 'the Pod has been deleted' });
  scene.api.answers.set(tokenReviewPath, () => refused);
  await until(() => agent.isClosed(), { what: 'the link to end' });
});
