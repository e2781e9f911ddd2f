import { expect, test } from 'vitest';
import { captureAnnotation, requestOf } from '../planner/annotations.ts';
import { checkFilter } from './filter-check.ts';

const userId = 10_001;

test.each([
  'tcp port 80',
  'udp and not host 10.0.0.1',
  'ip6',
  'icmp[0] = 8',
  'net 10.0.0.0/8 and (port 53 or port 853)',
  'less 128',
  // Valid for Wi-Fi, and for raw IP.
  'type mgt',
  'link[12:2] = 0x86dd and ip',
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
])('%j is rejected with the reason', async (filter, problem) => {
  expect(await checkFilter(filter, { userId })).toEqual({
    kind: 'rejected',
    problem: expect.stringContaining(problem),
  });
});

test.each([
  // 7 s and 11 s, 80 MB in the first of them (measured).
  ['time', ranges(190), { memoryMegabytes: 1_024 }, 'it takes more than 1 s to compile'],
  ['memory', ports(429), { cpuSeconds: 60 }, 'it takes more than 64 MB to compile'],
])(
  'an expression that is short enough for an annotation, and takes too much %s to compile, is rejected',
  async (_what, filter, options, problem) => {
    const annotations = { [captureAnnotation]: '5', 'podcap.dev/filter': filter };
    const request = requestOf({ annotations, hostNetwork: false }, { maxFiles: 5, maxFileMegabytes: 1 });
    expect(request.kind).toBe('capture');
    expect(await checkFilter(filter, { userId, ...options })).toEqual({ kind: 'rejected', problem });
  },
);

test('a check that times out says nothing about the expression', async () => {
  const slow = { userId, memoryMegabytes: 1_024, cpuSeconds: 60 };
  expect(await checkFilter(ranges(190), { ...slow, timeoutMs: 100 })).toMatchObject({ kind: 'failed' });
});

function ports(count: number): string {
  return `port ${Array.from({ length: count }, (_, i) => i).join('||')}`;
}

function ranges(count: number): string {
  return `portrange ${Array.from({ length: count }, (_, i) => `${2 * i}-${2 * i + 1}`).join('||')}`;
}
