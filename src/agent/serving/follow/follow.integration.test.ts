import { dirname } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { until } from '../../../base/until.ts';
import { type ReadCapture, type ReadPacket, readBytes } from '../../../pcap/testing/read-capture.ts';
import { datagramNumber } from '../../../testbed/datagrams.ts';
import { udpPayload } from '../../../testbed/udp-datagram.ts';
import { vethTestbed } from '../../../testbed/veth-testbed.ts';
import { specOf } from '../../testing/fixtures.ts';
import { recordingScene, scenePod } from '../../testing/recording-scene.ts';
import { heldFiles } from '../held-files.ts';
import { recordingsRoute } from '../recordings-route.ts';
import { linkScene } from '../testing/link-scene.ts';

test('a follower gets each datagram once and in order, while files rotate and one tcpdump takes over from another', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, path } = await scene.record(4, { fileMegabytes: 1 });
  await using sending = await testbed.startDatagrams({ rate: 3_000, bytes: 500 });
  await using follower = await followed(path);
  await follower.hasGot('eth0', 3_000);
  recorder.change(specOf(4, { fileMegabytes: 1, filter: 'udp' }));
  await follower.hasGot('eth0', 12_000);
  recorder.change(specOf(4, { fileMegabytes: 1 }));
  await follower.hasGot('eth0', 20_000);
  await sending.stop();
  const got = await follower.leave();
  const numbers = numbersOn(got, 'eth0');
  expect(numbers).toEqual(consecutive(numbers));
  await recorder.stop('AgentStopped');
});

test('a follower of two interfaces gets each datagram of both once, in the order of time, also when both tcpdumps are replaced', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const both = { fileMegabytes: 1, interfaces: ['eth0', 'lo'] };
  const { recorder, path } = await scene.record(4, both);
  await using sending = await testbed.startDatagrams({ rate: 1_000, bytes: 500 });
  await using onLo = await testbed.startDatagrams({ rate: 500, bytes: 500, to: '127.0.0.1' });
  await using follower = await followed(path);
  for (const name of both.interfaces) await follower.hasGot(name, 1_000);
  recorder.change(specOf(4, { ...both, filter: 'udp' }));
  for (const name of both.interfaces) await follower.hasGot(name, 4_000);
  await Promise.all([sending.stop(), onLo.stop()]);
  const got = await follower.leave();
  for (const name of both.interfaces) {
    const numbers = numbersOn(got, name);
    expect(numbers).toEqual(consecutive(numbers));
  }
  const times = got.packets.map(({ seconds, nanoseconds }) => seconds * 1e6 + Math.floor(nanoseconds / 1e3));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  await recorder.stop('AgentStopped');
});

/** A follower of the recording in that folder. */
async function followed(path: string) {
  await using opening = new AsyncDisposableStack();
  const route = recordingsRoute({
    capturesFolder: dirname(path),
    held: heldFiles({ mostBytes: 1e9 }),
    mostReaders: 1,
    clock: { nowMs: () => performance.now(), bootId: 'boot' },
    log: pino({ level: 'silent' }),
  });
  const link = opening.use(await linkScene(route));
  const stream = link.request(`/v1/recording?uid=${scenePod.uid}&follow=true`);
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const got = () => readBytes(Buffer.concat(chunks));
  const opened = opening.move();
  return {
    /** Waits for that many datagrams of an interface. */
    hasGot: (name: string, atLeast: number) =>
      until(async () => chunks.length > 0 && numbersOn(await got(), name).length >= atLeast, {
        what: `${atLeast} datagrams on ${name}`,
      }),
    /** Goes away; returns what it has got. */
    async leave(): Promise<ReadCapture> {
      stream.close(8);
      await link.idle();
      return await got();
    },
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

/** The numbers of the datagrams that passed that interface. */
function numbersOn({ packets, interfaces }: ReadCapture, name: string): readonly number[] {
  const isOn = ({ interfaceIndex }: ReadPacket) => interfaces[interfaceIndex]?.name?.endsWith(`/${name}`);
  return packets.filter(isOn).flatMap(({ data, interfaceIndex }) => {
    const linkType = interfaces[interfaceIndex]?.linkType ?? -1;
    const datagram = udpPayload(Buffer.from(data, 'latin1'), linkType);
    return (datagram && datagramNumber(datagram.payload)) ?? [];
  });
}

/** As many numbers from the first one on. */
function consecutive(numbers: readonly number[]): readonly number[] {
  const [first = 0] = numbers;
  return Array.from({ length: numbers.length }, (_, at) => first + at);
}
