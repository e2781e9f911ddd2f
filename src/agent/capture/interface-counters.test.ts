import { expect, test } from 'vitest';
import { interfaceReader, passedPackets, readInterface } from './interface-counters.ts';

test.each([
  ['eth0', 1_642],
  ['lo', 1_042],
])('of %s, %d packets have passed', (name, packets) => {
  const counters = { receivedPackets: 1_042, sentPackets: 600, sentDropped: 3 };
  expect(passedPackets({ name, counters })).toBe(packets);
});

test("reads the counters of a process's own network namespace", async () => {
  const counters = await readInterface(process.pid, 'lo');
  expect(counters?.receivedPackets).toBeGreaterThanOrEqual(0);
  await expect(readInterface(2 ** 30, 'lo')).rejects.toThrow('ENOENT');
});

test('reads the interface under the name that it has at present', async () => {
  let name = 'lo';
  const tcpdump = {
    pid: () => process.pid,
    capturedInterface: () => ({ index: 1, name, requestedIndex: undefined }),
  };
  const reader = interfaceReader(tcpdump, 'eth7');
  const reading = await reader.read();
  if (!reading) throw new Error('lo was not read');
  expect(reading.name).toBe('lo');
  expect(reader.isSure(reading)).toBe(true);
  name = 'eth8';
  expect(reader.isSure(reading)).toBe(false);
  expect(await reader.read()).toBeUndefined();
});
