import { expect, test } from 'vitest';
import { checkFilter } from './filter.ts';

const userId = 10_001;

test.each([
  'tcp port 80',
  'udp and not host 10.0.0.1',
  'ip6',
  'icmp[0] = 8',
  'net 10.0.0.0/8 and (port 53 or port 853)',
  'less 128',
])('%j is accepted', async (filter) => {
  expect(await checkFilter(filter, { userId })).toEqual({ kind: 'accepted' });
});

test.each([
  ['tcp port', 'syntax error'],
  ['host www.example.com', 'unknown host'],
  ['port nosuchservice', 'unknown port'],
  ['-z /bin/true', 'syntax error'],
  ['-w /tmp/podcap-evil', 'syntax error'],
  ['; touch /tmp/podcap-evil', 'syntax error'],
  ['$(touch /tmp/podcap-evil)', 'syntax error'],
  ['net 10.0.0.1/8', 'non-network bits set'],
])('%j is rejected, in words that say why', async (filter, problem) => {
  expect(await checkFilter(filter, { userId })).toEqual({
    kind: 'rejected',
    problem: expect.stringContaining(problem),
  });
});

test('an expression that takes too much to compile is cut off', async () => {
  // The time grows with the square of the ports.
  const hard = Array.from({ length: 300 }, (_, i) => `portrange ${i * 7}-${i * 7 + 3}`).join(' or ');
  const check = await checkFilter(hard, { userId, cpuSeconds: 1 });
  expect(check).toEqual({ kind: 'rejected', problem: 'it takes more than 1 s to compile' });
});

test('a check that does not come to an end says nothing of the expression', async () => {
  expect(await checkFilter('tcp', { userId, timeoutMs: 1 })).toMatchObject({ kind: 'failed' });
});
