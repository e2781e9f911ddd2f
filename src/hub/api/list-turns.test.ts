import { expect, test } from 'vitest';
import { happens, until } from '../../base/until.ts';
import { memoryCaptures } from './testing/memory-captures.ts';
import { startedHubApi } from './testing/started-hub-api.ts';

const path = '/apis/podcap.dev/v1alpha1/captures';

test('a few lists of a user are made at the same time: others wait until these are read', async () => {
  const listed = memoryCaptures();
  const begun: (() => void)[] = [];
  const list: typeof listed.list = async (scope, fresh) => {
    await new Promise<void>((resolve) => begun.push(resolve));
    return await listed.list(scope, fresh);
  };
  await using hub = await startedHubApi({ captures: { ...listed, list } });
  const lists = Array.from({ length: 6 }, async () => await hub.ask(path));
  await until(() => begun.length === 4, { what: 'four lists to be made' });
  const other = hub.ask(path, { headers: { 'x-remote-user': 'joe' } });
  await until(() => begun.length === 5, { what: 'the list of another user' });
  begun[0]?.();
  await until(() => begun.length === 6, { what: 'the fifth list' });
  expect(await happens(() => begun.length > 6, { withinMs: 100 })).toBe(false);
  for (let at = 1; at < 7; at += 1) {
    await until(() => begun.length > at, { what: 'the next list' });
    begun[at]?.();
  }
  const answers = await Promise.all([...lists, other]);
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
});
