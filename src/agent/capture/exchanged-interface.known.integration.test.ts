import { beforeAll, expect, test } from 'vitest';
import { happens } from '../../base/until.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { recordingScene } from '../testing/recording-scene.ts';

/** An interface that is set down is reported after 1 s. */
const withinMs = 5_000;

/** By one process, because an interface that is down for a second is reported. */
const exchange = [
  'link set eth0 down',
  'link set eth0 name eth1',
  'link set eth1 up',
  'link add eth0 type veth peer name other0',
  'link set other0 up',
  'link set eth0 up',
  'route add 192.0.2.9 dev eth0',
  'neighbour add 192.0.2.9 lladdr 02:00:00:00:00:03 dev eth0 nud permanent',
];

let observed: Awaited<ReturnType<typeof observe>>;
beforeAll(async () => {
  observed = await observe();
});

test('another eth0 takes the place of the captured one, and gets what the Pod sends', () => {
  expect(observed.answer).toMatchObject({ kind: 'capturing', spec: { interface: 'eth0' } });
  expect(observed.sentByOther).toBe(10);
  expect(observed.captured).toEqual([]);
});

test.fails('a Pod whose eth0 is renamed and replaced by another one is reported', () => {
  expect(observed.isReported).toBe(true);
});

async function observe() {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(3);
  const [answer] = reports;
  await testbed.exec('pod', ['sh', '-ec', 'printf "%s\\n" "$@" | ip -batch -', 'sh', ...exchange]);
  await testbed.sendDatagrams({ count: 10 });
  const { sentPackets: sentByOther } = await testbed.counters('pod');
  const isReported = await happens(() => reports.length > 1, { withinMs });
  const captured = await scene.numbers(path);
  await recorder.stop('AgentStopped');
  return { answer, sentByOther, captured, isReported };
}
