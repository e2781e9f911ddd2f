import { expect, test } from 'vitest';
import { openArena } from './arena.ts';
import { carriedDuring, datagrams } from './bench-traffic.ts';
import type { ContenderName } from './contender.ts';

/** The bridge brings some packets of the kernel's own, before or after those that are counted. */
const strays = 10;
const load = datagrams('any', { frameBytes: 200, rate: 2_000 });

test.each<[ContenderName, number]>([
  ['podcap', 1],
  // By the Pod's end of the host's interfaces and by the bridge.
  ['host-tcpdump', 2],
  ['tcpdump-ring', 1],
  ['dumpcap', 1],
])('%s sees %d times what the interface carries', { timeout: 60_000 }, async (variant, copies) => {
  await using arena = await openArena(2, [variant]);
  const [contender] = arena.contenders;
  const [from, to] = [arena.pod(0), arena.pod(1)];
  // Twice: what it leaves behind must not be in the way of the next.
  for (const snaplen of [undefined, 128]) {
    const captures = await contender?.start([from, to], { snaplen });
    // Podcap's agent and its spawner beside them.
    expect(await captures?.processes()).toHaveLength(variant === 'podcap' ? 4 : 2);
    const carried = await carriedDuring(from, () => load.send({ from, to, sink: arena.testbed.sink }, 2_000));
    const [count, silent] = (await captures?.stop()) ?? [];
    expect(carried).toBeGreaterThan(1_000);
    // dumpcap does not count what it loses at its end.
    expect(count?.received).toBeGreaterThan(0.5 * copies * carried);
    expect(count?.received).toBeLessThanOrEqual(copies * carried + strays);
    expect(count?.captured).toBeGreaterThan(0);
    expect(silent?.received).toBeLessThanOrEqual(strays);
  }
});

test('Podcap loses nothing at its end', { timeout: 60_000 }, async () => {
  await using arena = await openArena(2, ['podcap']);
  const [from, to] = [arena.pod(0), arena.pod(1)];
  const captures = await arena.contenders[0]?.start([from]);
  const carried = await carriedDuring(from, () => load.send({ from, to, sink: arena.testbed.sink }, 1_000));
  const [count] = (await captures?.stop()) ?? [];
  expect(count?.captured).toBe(count?.received);
  expect(count?.captured).toBeGreaterThanOrEqual(carried);
  expect(count?.captured).toBeLessThanOrEqual(carried + strays);
});
