import { expect, test } from 'vitest';
import { networksOf } from './pod-networks.ts';

const pod = { namespace: 'default', name: 'web', uid: 'uid-1' };
const entry = (sandboxId: string, netns: string, of: Partial<typeof pod> = {}) => ({
  pod: { ...pod, ...of },
  network: { sandboxId, netns, addresses: [] },
});

test('a Pod has one network for each of its sandboxes, in the order of the entries', () => {
  const entries = [entry('second', '/run/netns/b'), entry('first', '/run/netns/a')];
  expect(networksOf(pod, entries).networks.map(({ sandboxId }) => sandboxId)).toEqual(['second', 'first']);
});

test.each([{ uid: 'uid-2' }, { name: 'web-2' }, { namespace: 'other' }])(
  'neither Pod gets a network that a Pod with another %j has too, whichever entry is newer',
  (of) => {
    const own = entry('own', '/run/netns/a');
    const others = entry('others', '/run/netns/a', of);
    for (const entries of [
      [own, others],
      [others, own],
    ]) {
      for (const each of [own.pod, others.pod]) {
        expect(networksOf(each, entries)).toEqual({ networks: [], disputed: ['/run/netns/a'] });
      }
    }
  },
);

test('a Pod still gets its network that no other Pod has', () => {
  const entries = [
    entry('forged', '/run/netns/of-another'),
    entry('own', '/run/netns/own'),
    entry('others', '/run/netns/of-another', { uid: 'uid-2' }),
  ];
  expect(networksOf(pod, entries).networks).toEqual([entry('own', '/run/netns/own').network]);
});
