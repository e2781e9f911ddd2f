import { expect, test } from 'vitest';
import { parseNetDev } from './net-dev.ts';

const netDev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:   10000      20    0    0    0     0          0         0    10000      20    0    0    0     0       0          0
  eth0: 1500000    1042    0    0    0     0          0         0   700000     600    0    7    0     0       0          0
eth0.7:1234567890123 9000000000 0 0 0 0 0 0 5 1 0 0 0 0 0 0
`;

test.each([
  ['lo', { receivedPackets: 20, sentPackets: 20, sentDropped: 0 }],
  ['eth0', { receivedPackets: 1_042, sentPackets: 600, sentDropped: 7 }],
  ['eth0.7', { receivedPackets: 9_000_000_000, sentPackets: 1, sentDropped: 0 }],
  ['eth', undefined],
  ['net1', undefined],
])('%s has counted %o', (name, counters) => {
  expect(parseNetDev(netDev, name)).toEqual(counters);
});
