import { expect, test } from 'vitest';
import { until } from '../../../base/until.ts';
import { readBytes } from '../../../pcap/testing/read-capture.ts';
import { numbersIn, tapScene } from './testing/tap-scene.ts';

test('every packet from the request on arrives in order, and the count ends the tap', async () => {
  await using scene = await tapScene();
  const tap = await scene.open({ count: '1000' });
  expect(tap.status).toBe(200);
  await scene.testbed.sendDatagrams({ count: 1_500 });
  const { bytes, isComplete } = await tap.rest();
  expect(isComplete).toBe(true);
  expect(await numbersIn(bytes)).toEqual(Array.from({ length: 1_000 }, (_, number) => number));
  const { interfaces, received } = await readBytes(bytes);
  expect(interfaces).toMatchObject([{ name: 'default/web/eth0', linkType: 1, addresses: ['192.0.2.2'] }]);
  expect(received).toMatchObject([{ received: 1_000, dropped: 0 }]);
  await until(async () => (await scene.testbed.processes()).length === 0, { what: 'the end of tcpdump' });
  expect(scene.taps.counts()).toEqual({ open: 0, limit: 16, dropped: 0 });
});
