import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { bridgeTestbed } from './bridge-testbed.ts';
import { startSender } from './datagrams.ts';
import { startPump, startSink } from './tcp-stream.ts';

/** That many fit into a socket's queue until its program gets a core. */
const count = 100;
/** The kernel sends some packets of its own when an interface comes up. */
const strays = 10;

test('Pods on a bridge reach one another, and the host drops what is sent to the sink', async () => {
  await using testbed = await bridgeTestbed(3);
  const [from, to, other] = testbed.pods;
  if (!from || !to || !other) throw new Error('no Pods');
  await using sink = await startSink(to.command, 'udp');
  await using toPod = await startSender(from.command, { to: to.address, count, rate: 10_000 });
  await toPod.ended;
  const received = async () => /^Udp: (\d+)/m.exec(await readFile(`/proc/${sink.pid}/net/snmp`, 'utf8'))?.[1];
  await until(async () => (await received()) === String(count), { what: `${count} datagrams` });

  const before = { from: await from.counters(), other: await other.counters() };
  await using toSink = await startSender(from.command, { to: testbed.sink, count, rate: 10_000 });
  await toSink.ended;
  const after = { from: await from.counters(), other: await other.counters() };
  expect(after.from.sentPackets - before.from.sentPackets).toBeGreaterThanOrEqual(count);
  expect(after.from.receivedPackets - before.from.receivedPackets).toBeLessThan(strays);
  // A bridge floods what it does not know the port of.
  expect(after.other.receivedPackets - before.other.receivedPackets).toBeLessThan(strays);
});

test('a pump sends a stream to a sink', async () => {
  await using testbed = await bridgeTestbed(2);
  const [from, to] = testbed.pods;
  if (!from || !to) throw new Error('no Pods');
  await using sink = await startSink(to.command, 'tcp');
  await using pump = await startPump(from.command, to.address);
  const isFlowing = async () => (await to.counters()).receivedPackets > 1_000;
  expect(await until(isFlowing, { what: '1,000 packets' })).toBe(true);
  await pump.stop();
  await sink.stop();
});
