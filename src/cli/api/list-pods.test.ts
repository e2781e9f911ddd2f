import { expect, test } from 'vitest';
import { listPods } from './pods-client.ts';
import { answerObject, apiScene } from './testing/api-scene.ts';

const { signal } = new AbortController();
const asked = { namespace: 'shop', labelSelector: 'app=web' };

test.each([
  [['a', 'b'], 'web-0,web-1,web-2'],
  [['a', 'a', 'a', 'a'], 'has no end'],
])('the pages of a list of Pods end, also where the server repeats one: %j', async (tokens, result) => {
  await using scene = await apiScene((_, response) => {
    const at = scene.requests.length - 1;
    const metadata = { namespace: 'shop', name: `web-${at}`, uid: `uid-${at}` };
    answerObject(response, { metadata: { continue: tokens[at] }, items: [{ metadata }] });
  });
  const names = async () => (await listPods(scene.cluster, asked, signal)).map(({ name }) => name).join();
  expect(await names().catch(String)).toContain(result);
});
