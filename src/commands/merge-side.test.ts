import { expect, test } from 'vitest';
import { concat, ethernet, ipv4, udp } from '../pcap/testing/build-packets.ts';
import { captureBytes } from '../pcap/testing/capture-bytes.ts';
import { mergeScene } from './testing/merge-scene.ts';

const { section, interfaceBlock, packet, option, u32 } = captureBytes('little');
const web = [10, 0, 0, 1];
const db = [10, 0, 0, 2];

/** A datagram from web, the client, to db, when it is captured, in microseconds. */
type Captured = { readonly low: number; readonly data: Buffer; readonly options?: Buffer };
const at = (low: number, text: string, options?: Buffer): Captured => ({
  low,
  data: Buffer.from(
    ethernet(
      0x0800,
      ipv4({
        protocol: 17,
        payload: udp({ from: 40_000, to: 9_000 }, Buffer.from(text.padEnd(80, '.'))),
        source: web,
        destination: db,
      }),
    ),
  ),
  ...(options && { options }),
});

test.each<[string, readonly Captured[], readonly Captured[], string[]]>([
  ['nothing twice', [at(0, 'a'), at(10, 'b')], [at(5, 'a'), at(15, 'b')], ['web a', 'web b']],
  ['nothing twice if the clock of the client is ahead', [at(400_000, 'a')], [at(0, 'a')], ['web a']],
  [
    'both where the clocks differ by more than half a second',
    [at(600_000, 'a')],
    [at(0, 'a')],
    ['db a', 'web a'],
  ],
  [
    'what the client has not captured',
    [at(0, 'a'), at(20, 'c')],
    [at(5, 'a'), at(15, 'b'), at(25, 'c')],
    ['web a', 'db b', 'web c'],
  ],
  ['what the server has not captured', [at(0, 'a'), at(10, 'b')], [at(15, 'b')], ['web a', 'web b']],
  ['packets that are alike one for one', [at(0, 'a')], [at(5, 'a'), at(6, 'a')], ['web a', 'db a']],
])('--side client keeps %s', async (_what, ofWeb, ofDb, expected) => {
  await using scene = await mergeScene();
  await scene.file('web.cap', section(), eth0('web', web), ...ofWeb.map(packet));
  await scene.file('db.cap', section(), eth0('db', db), ...ofDb.map(packet));
  expect(await merged(scene)).toEqual(expected);
});

test('--side keeps the order of the packets behind one that waits, across the end of a file', async () => {
  await using scene = await mergeScene();
  const others = [at(20, 'x'), at(30, 'y')].map(({ data, ...rest }) => ({ ...rest, data: otherPeer(data) }));
  await scene.file('web.cap', section(), eth0('web', web), ...others.map(packet));
  await scene.file('db.cap', section(), eth0('db', db), packet(at(10, 'a')), packet(at(900_000, 'b')));
  expect(await merged(scene)).toEqual(['db a', 'web x', 'web y', 'db b']);
});

test('two files of one ring are of one end: what is in both was sent twice', async () => {
  await using scene = await mergeScene();
  await scene.file('web.cap', section(), eth0('web', web), packet(at(0, 'a')));
  await scene.file('db.pcap0', section(), eth0('db', db), packet(at(5, 'a')));
  await scene.file('db.pcap1', section(), eth0('db', db), packet(at(20, 'a')));
  expect(await merged(scene, ['web.cap', 'db.pcap0', 'db.pcap1'])).toEqual(['web a', 'db a']);
});

test('captures of one end that overlap are two places: both copies are left out', async () => {
  await using scene = await mergeScene();
  await scene.file('web.cap', section(), eth0('web', web), packet(at(0, 'a')));
  await scene.file('db.1.pcap', section(), eth0('db', db), packet(at(5, 'a')));
  await scene.file('db.2.pcap', section(), eth0('db', db), packet(at(5, 'a')));
  expect(await merged(scene, ['web.cap', 'db.1.pcap', 'db.2.pcap'])).toEqual(['web a']);
  expect(await merged(scene, ['web.cap', 'db.1.pcap', 'db.1.pcap'])).toEqual(['web a']);
});

test('another interface of the Pod is not the other end', async () => {
  await using scene = await mergeScene();
  const local = [0, 20].map((low) => packet({ low, data: Buffer.from('none of IP') }));
  await scene.file('web.cap', section(), eth0('web', web), ...local);
  await scene.file('db.cap', section(), eth0('db', db), packet(at(10, 'a')));
  expect(await merged(scene)).toEqual(['web ', 'db a', 'web ']);
});

test('a packet is the same behind a router, and before the card fills in its checksum', async () => {
  await using scene = await mergeScene();
  const sent = at(0, 'a').data;
  const came = Buffer.from(sent);
  // MAC addresses; TTL and header checksum; checksum of UDP.
  came.fill(9, 0, 12).fill(63, 22, 23).fill(7, 24, 26).fill(7, 40, 42);
  await scene.file('web.cap', section(), eth0('web', web), packet({ low: 0, data: sent }));
  await scene.file('db.cap', section(), eth0('db', db), packet({ low: 1, data: came }));
  expect(await merged(scene)).toEqual(['web a']);
});

test('what says that packets were lost before it and is left out tells it the next of its interface', async () => {
  await using scene = await mergeScene();
  const lost = (count: number) => option(4, Buffer.concat([u32(count), u32(0)]));
  await scene.file('web.cap', section(), eth0('web', web), packet(at(0, 'a')), packet(at(30, 'c')));
  const ofDb = [at(10, 'a', lost(5)), at(20, 'b', lost(2))];
  await scene.file('db.cap', section(), eth0('db', db), ...ofDb.map(packet));
  expect(await merged(scene)).toEqual(['web a', 'db b', 'web c']);
  expect((await scene.bytes('out.pcapng')).includes(lost(7))).toBe(true);
});

/** The same to somebody who is not captured. */
function otherPeer(data: Buffer): Buffer {
  return Buffer.from(concat(data.subarray(0, 33), [99], data.subarray(34)));
}

function eth0(name: string, own: readonly number[]): Buffer {
  const options = [option(2, name), option(4, Buffer.from([...own, 255, 255, 255, 255]))];
  return interfaceBlock({ options: Buffer.concat(options) });
}

/** The interface and the text of each packet. */
async function merged(
  scene: Awaited<ReturnType<typeof mergeScene>>,
  files = ['web.cap', 'db.cap'],
): Promise<string[]> {
  const inputs = files.map((file) => `:${file}`);
  const ran = await scene.merge([...inputs, '--side', 'client', '--to', ':out.pcapng']);
  expect(ran).toMatchObject({ code: 0 });
  const { packets, interfaces } = await scene.read('out.pcapng');
  return packets.map(
    ({ interfaceIndex, data }) => `${interfaces[interfaceIndex]?.name} ${data.slice(42).replaceAll('.', '')}`,
  );
}
