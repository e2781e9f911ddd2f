import { expect, test } from 'vitest';
import { openArena } from './arena.ts';
import { datagrams, interfacePacketsDuring } from './bench-traffic.ts';
import type { ContenderName } from './contender.ts';

/** The kernel itself sends some packets over the bridge, before or after those that are counted. */
const strayPackets = 10;
const load = datagrams('any', { frameBytes: 200, rate: 2_000 });

test.each<[ContenderName, number]>([
  ['podcap', 1],
  // On the host's end of the Pod's veth pair, and on the bridge.
  ['host-tcpdump', 2],
  ['tcpdump-ring', 1],
  ['dumpcap', 1],
])('%s sees each packet of the interface %d times', { timeout: 60_000 }, async (name, copies) => {
  await using arena = await openArena(2, [name]);
  const [contender] = arena.contenders;
  const [from, to] = [arena.pod(0), arena.pod(1)];
  // Two captures: what the first leaves behind must not disturb the second.
  for (const snaplen of [undefined, 128]) {
    const captures = await contender?.start([from, to], { snaplen });
    // A tcpdump for each Pod; with Podcap also the agent and its spawner.
    expect(await captures?.processes()).toHaveLength(name === 'podcap' ? 4 : 2);
    const interfacePackets = await interfacePacketsDuring(from, () =>
      load.send({ from, to, sink: arena.testbed.sink }, 2_000),
    );
    const [counts, silent] = (await captures?.stop()) ?? [];
    expect(interfacePackets).toBeGreaterThan(1_000);
    // dumpcap does not count what it loses at its end.
    expect(counts?.received).toBeGreaterThan(0.5 * copies * interfacePackets);
    expect(counts?.received).toBeLessThanOrEqual(copies * interfacePackets + strayPackets);
    expect(counts?.captured).toBeGreaterThan(0);
    expect(silent?.received).toBeLessThanOrEqual(strayPackets);
  }
});

test('Podcap loses no packet when a capture stops', { timeout: 60_000 }, async () => {
  await using arena = await openArena(2, ['podcap']);
  const [from, to] = [arena.pod(0), arena.pod(1)];
  const captures = await arena.contenders[0]?.start([from]);
  const interfacePackets = await interfacePacketsDuring(from, () =>
    load.send({ from, to, sink: arena.testbed.sink }, 1_000),
  );
  const [counts] = (await captures?.stop()) ?? [];
  expect(counts?.captured).toBe(counts?.received);
  expect(counts?.captured).toBeGreaterThanOrEqual(interfacePackets);
  expect(counts?.captured).toBeLessThanOrEqual(interfacePackets + strayPackets);
});
