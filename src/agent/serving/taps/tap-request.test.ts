import { expect, test } from 'vitest';
import { parseTapRequest } from './tap-request.ts';

const plain = {
  namespace: 'shop',
  name: 'web',
  uid: undefined,
  interfaces: ['eth0'],
  filter: undefined,
  snaplen: undefined,
  durationMs: undefined,
  count: undefined,
  format: 'pcapng',
};

test.each([
  ['namespace=shop&name=web', plain],
  ['namespace=shop&name=web&uid=u&interface=eth0,lo', { ...plain, uid: 'u', interfaces: ['eth0', 'lo'] }],
  [
    'namespace=shop&name=web&filter=tcp+port+80&snaplen=128',
    { ...plain, filter: 'tcp port 80', snaplen: 128 },
  ],
  [
    'namespace=shop&name=web&duration=1m30s&count=7&format=pcap',
    { ...plain, durationMs: 90_000, count: 7, format: 'pcap' },
  ],
  ['namespace=shop&name=web&node=node1&else=1', plain],
])('reads %s', (query, tap) => {
  expect(parseTapRequest(new URLSearchParams(query))).toEqual({ kind: 'tap', tap });
});

test.each([
  [
    'interface=any',
    'interface="any": must be the names of 1 to 4 interfaces of the Pod, such as eth0 or eth0,lo, but not \'any\'',
  ],
  ['interface=-D', 'interface="-D": must be the names'],
  ['interface=', 'interface="": must be the names'],
  ['filter=', 'filter="": must be a pcap-filter(7) expression of 1 to 2048 bytes without control characters'],
  ['filter=tcp%0Aor+udp', 'filter="tcp\\nor udp": must be a pcap-filter(7) expression'],
  ['snaplen=0', 'snaplen="0": must be a whole number of bytes from 64 to 262144'],
  ['duration=1', 'duration="1": must be a duration from 1s to 168h, such as 90s, 10m or 1h30m'],
  ['count=-1', 'count="-1": must be a whole number of packets from 1 to 999999999'],
  ['count=0', 'count="0": must be'],
  ['format=csv', 'format="csv": must be pcapng or pcap'],
])('refuses %s in the words of the annotations', (query, message) => {
  const refused = parseTapRequest(new URLSearchParams(`namespace=shop&name=web&${query}`));
  expect(refused).toEqual({
    kind: 'refused',
    status: 400,
    error: { reason: 'InvalidParameter', message: expect.stringContaining(message) },
  });
});

test('refuses a request for no Pod', () => {
  expect(parseTapRequest(new URLSearchParams('name=web'))).toMatchObject({ kind: 'refused', status: 400 });
});

test('shows of a long value only its start', () => {
  const refused = parseTapRequest(
    new URLSearchParams({ namespace: 'shop', name: 'web', count: '9'.repeat(10_000) }),
  );
  expect(JSON.stringify(refused).length).toBeLessThan(500);
});
