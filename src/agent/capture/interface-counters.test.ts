import { expect, test } from 'vitest';
import { parsePackets, readInterfacePackets } from './interface-counters.ts';

const netDev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:   10000      20    0    0    0     0          0         0    10000      20    0    0    0     0       0          0
  eth0: 1500000    1042    0    0    0     0          0         0   700000     600    0    0    0     0       0          0
eth0.7:1234567890123 9000000000 0 0 0 0 0 0 5 1 0 0 0 0 0 0
`;

test.each([
  ['lo', 20],
  ['eth0', 1_642],
  ['eth0.7', 9_000_000_001],
  ['eth', undefined],
  ['net1', undefined],
])('%s has counted %d packets', (name, packets) => {
  expect(parsePackets(netDev, name)).toBe(packets);
});

test("reads the counters of a process's own network namespace", async () => {
  expect(await readInterfacePackets(process.pid, 'lo')).toBeGreaterThanOrEqual(0);
  await expect(readInterfacePackets(2 ** 30, 'lo')).rejects.toThrow('ENOENT');
});
