import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { until } from '../../../base/until.ts';
import { linkTypeName } from '../../../pcap/link-type-name.ts';
import { readBytes } from '../../../pcap/testing/read-capture.ts';
import { readFrames } from '../testing/link-scene.ts';
import {
  inFrames,
  numbersIn,
  type TapAnswer,
  type TapScene,
  tapScene,
  wholeFrames,
} from './testing/tap-scene.ts';

const firstNumbers = (count: number) => Array.from({ length: count }, (_, number) => number);

test('every packet from the answer on arrives in order, and the count ends the tap', async () => {
  await using scene = await tapScene();
  const tap = await scene.open({ count: '1000' });
  expect(tap.status).toBe(200);
  await scene.testbed.sendDatagrams({ count: 1_500 });
  const { bytes, isComplete } = await tap.rest();
  expect(isComplete).toBe(true);
  expect(await numbersIn(bytes)).toEqual(firstNumbers(1_000));
  const { interfaces, received } = await readBytes(bytes);
  expect(interfaces).toMatchObject([
    {
      name: 'default/web/eth0',
      description: 'Node node1, Pod UID uid-1',
      linkType: 1,
      addresses: ['192.0.2.2'],
    },
  ]);
  expect(received).toMatchObject([{ received: 1_000, dropped: 0 }]);
  await leftNothing(scene);
  expect(scene.taps.counts()).toEqual({ open: 0, limit: 16, dropped: 0 });
});

test('a viewer sees the interface before the first packet, and each packet while nothing follows it', async () => {
  await using scene = await tapScene();
  const tap = await scene.open();
  await until(() => tap.bytes().length > 0, { what: 'the description of the interface' });
  for (const firstNumber of [0, 1, 2]) {
    await scene.testbed.sendDatagrams({ count: 1, firstNumber });
    await until(async () => (await seen(tap)).length === firstNumber + 1, { what: 'the packet' });
  }
  expect(await seen(tap)).toEqual([0, 1, 2]);
});

test('the filter and the snaplen apply', async () => {
  await using scene = await tapScene();
  const tap = await scene.open({ filter: 'udp port 9', snaplen: '64', count: '3' });
  await scene.testbed.sendDatagrams({ count: 5, port: 10 });
  await scene.testbed.sendDatagrams({ count: 3, bytes: 500, firstNumber: 7 });
  const { bytes } = await tap.rest();
  const { packets, interfaces } = await readBytes(bytes);
  expect(await numbersIn(bytes)).toEqual([7, 8, 9]);
  expect(packets.map(({ data, original }) => [data.length, original])).toEqual(
    Array.from({ length: 3 }, () => [64, 542]),
  );
  expect(interfaces[0]?.comment).toBe('only the first 64 bytes of each packet were kept');
});

test('the connections between agent and hubs are not in it', async () => {
  const hubs = [{ address: '192.0.2.9', port: 7 }];
  await using scene = await tapScene({ hubs });
  const tap = await scene.open({ count: '2' });
  await scene.testbed
    .exec('pod', ['timeout', '0.2', 'bash', '-c', 'echo > /dev/tcp/192.0.2.9/7'])
    .catch(() => {});
  await scene.testbed.sendDatagrams({ count: 2, port: 7 });
  const { bytes } = await tap.rest();
  expect(await numbersIn(bytes)).toEqual([0, 1]);
  expect((await readBytes(bytes)).interfaces[0]?.filter).toContain('not (');
});

test('several interfaces are in one stream, each with its packets', async () => {
  await using scene = await tapScene();
  const tap = await scene.open({ interface: 'eth0,lo', filter: 'udp', duration: '2s' });
  await scene.testbed.sendDatagrams({ count: 3 });
  await scene.testbed.sendDatagrams({ count: 2, to: '127.0.0.1', firstNumber: 100 });
  const { packets, interfaces, damage } = await readBytes((await tap.rest()).bytes);
  expect(damage).toEqual([]);
  expect(interfaces.map(({ name }) => name)).toEqual(['default/web/eth0', 'default/web/lo']);
  expect(packets.filter(({ interfaceIndex }) => interfaceIndex === 0)).toHaveLength(3);
  expect(packets.filter(({ interfaceIndex }) => interfaceIndex === 1)).toHaveLength(2);
});

test.each(['RAW', 'EN10MB'])('an interface of the link type %s, also as pcap', async (type) => {
  await using scene = await tapScene();
  const name = type === 'RAW' ? 'raw0' : 'eth0';
  if (type === 'RAW') {
    await scene.testbed.exec('pod', ['ip', 'tuntap', 'add', 'raw0', 'mode', 'tun']);
    await scene.testbed.exec('pod', ['ip', 'link', 'set', 'raw0', 'up']);
  }
  for (const format of ['pcapng', 'pcap']) {
    const tap = await scene.open({ interface: name, format, duration: '1s' });
    const { bytes } = await tap.rest();
    const { interfaces, damage } = await readBytes(bytes);
    expect(damage).toEqual([]);
    expect(interfaces).toHaveLength(1);
    expect(linkTypeName(interfaces[0]?.linkType ?? 0)).toMatch(type === 'RAW' ? /raw IP/i : /Ethernet/);
  }
});

test('pcap says that interfaces with different link types need pcapng', async () => {
  await using scene = await tapScene();
  await scene.testbed.exec('pod', ['ip', 'tuntap', 'add', 'raw0', 'mode', 'tun']);
  await scene.testbed.exec('pod', ['ip', 'link', 'set', 'raw0', 'up']);
  const tap = await scene.open({ interface: 'eth0,raw0', format: 'pcap' });
  expect(tap.status).toBe(400);
  expect((await tap.rest()).bytes.toString()).toContain('ask for pcapng');
  await leftNothing(scene);
});

test('frames end with the reason and what was counted', async () => {
  await using scene = await tapScene();
  const tap = await scene.open({ duration: '1s' }, inFrames);
  await scene.testbed.sendDatagrams({ count: 10 });
  const { data, end } = readFrames((await tap.rest()).bytes);
  expect(await numbersIn(data)).toEqual(firstNumbers(10));
  expect(end).toMatchObject({
    reason: 'DurationReached',
    isComplete: true,
    packets: 10,
    bytes: data.length,
    dropped: 0,
  });
});

test('a tap ends with its Pod', async () => {
  await using scene = await tapScene();
  const tap = await scene.open({}, inFrames);
  scene.pods.clear();
  expect(readFrames((await tap.rest()).bytes).end).toMatchObject({ reason: 'PodEnded', isComplete: true });
  await leftNothing(scene);
});

test('a Pod whose interface is gone before the API says that it has ended has ended', async () => {
  await using scene = await tapScene();
  const tap = await scene.open({}, inFrames);
  await scene.testbed.sendDatagrams({ count: 5 });
  await scene.testbed.deleteInterface();
  const ending = tap.rest();
  await until(async () => (await scene.testbed.processes()).length === 0, { what: 'the end of tcpdump' });
  scene.pods.clear();
  const { end } = readFrames((await ending).bytes);
  expect(end).toMatchObject({ reason: 'PodEnded', packets: 5 });
});

test('a tap ends with its interface', async () => {
  await using scene = await tapScene();
  const tap = await scene.open({}, inFrames);
  await scene.testbed.deleteInterface();
  const { end } = readFrames((await tap.rest()).bytes);
  expect(end).toMatchObject({ reason: 'InterfaceGone', message: 'the interface eth0 of the Pod is gone' });
});

test('a tcpdump that is killed: frames say so, and the capture file is cut', async () => {
  await using scene = await tapScene();
  const framed = await scene.open({}, inFrames);
  const file = await scene.open();
  await scene.testbed.sendDatagrams({ count: 5 });
  await until(async () => (await seen(file)).length === 5, { what: 'the packets' });
  await until(async () => (await numbersIn(wholeFrames(framed.bytes()).data)).length === 5, {
    what: 'the packets in frames',
  });
  for (const pid of await scene.testbed.processes()) process.kill(pid, 'SIGKILL');
  const { end } = readFrames((await framed.rest()).bytes);
  expect(end).toMatchObject({
    reason: 'CaptureFailed',
    message: 'ended by SIGKILL',
    isComplete: false,
    packets: 5,
  });
  const { bytes, isComplete } = await file.rest();
  expect(isComplete).toBe(false);
  expect(await numbersIn(bytes)).toEqual(firstNumbers(5));
});

test('a tap goes on when its interface is set down and up again', async () => {
  await using scene = await tapScene();
  const tap = await scene.open();
  await scene.testbed.sendDatagrams({ count: 1 });
  await scene.testbed.bounceInterface();
  await scene.testbed.sendDatagrams({ count: 1, firstNumber: 1 });
  await until(async () => (await seen(tap)).length === 2, { what: 'the packet after that' });
  expect(await seen(tap)).toEqual([0, 1]);
});

test('a tcpdump that hangs hides the end of its Pod from nobody', async () => {
  await using scene = await tapScene();
  const tap = await scene.open({}, inFrames);
  const [pid = 0] = await scene.testbed.processes();
  process.kill(pid, 'SIGSTOP');
  const isAsked = async () => /^ShdPnd:\t0{13}200$/m.test(await readFile(`/proc/${pid}/status`, 'utf8'));
  await until(isAsked, { what: 'SIGUSR1, which asks for its counts' });
  scene.pods.clear();
  expect(readFrames((await tap.rest()).bytes).end).toMatchObject({ reason: 'PodEnded' });
  await leftNothing(scene);
});

test('tcpdump has the rights of a capture and no others', async () => {
  await using scene = await tapScene();
  await scene.open();
  const [pid] = await scene.testbed.processes();
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  expect(status).toMatch(/^Uid:(\s10001){4}$/m);
  expect(status).toMatch(/^CapEff:\t0{12}2000$/m);
});

async function seen(tap: TapAnswer): Promise<readonly number[]> {
  return await numbersIn(tap.bytes());
}

async function leftNothing({ testbed }: TapScene): Promise<void> {
  await until(async () => (await testbed.processes()).length === 0, {
    what: 'the end of tcpdump',
    deadlineMs: 2_000,
  });
}
