import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { openCaptureFiles } from '../pcap/read/capture-reader.ts';
import { tsharkField } from '../pcap/testing/tshark-field.ts';
import { pcapngWriter } from '../pcap/write/pcapng-writer.ts';
import { type BridgeTestbed, bridgeTestbed, type TestbedPod } from '../testbed/bridge-testbed.ts';
import { startChild } from '../testbed/child-program.ts';
import { type Argv, run } from '../testbed/run-program.ts';
import { mergeScene } from './testing/merge-scene.ts';

test('--side writes TCP once that a device has cut into segments on its way', async () => {
  await using testbed = await bridgeTestbed(2);
  await using scene = await mergeScene();
  const [client, server] = testbed.pods;
  if (!client || !server) throw new Error('there are no Pods');
  await cutIntoSegments(testbed, 'host1');
  await captureTransfer({ client, server }, scene.pathOf);
  const ofClient = await dataOf(scene.pathOf(`${client.name}.pcapng`));
  const ofServer = await dataOf(scene.pathOf(`${server.name}.pcapng`));
  // Or the test would show nothing. Data can be sent twice.
  expect(ofClient.segments).toBeLessThan(ofServer.segments / 2);
  expect(ofClient.bytes).toBeGreaterThanOrEqual(transferBytes);
  const files = [client, server].map(({ name }) => `:${name}.pcapng`);
  await scene.merge([...files, '--to', ':both.pcapng']);
  expect((await dataOf(scene.pathOf('both.pcapng'))).bytes).toBe(ofClient.bytes + ofServer.bytes);
  for (const [side, kept] of [
    ['client', ofClient],
    ['server', ofServer],
  ] as const) {
    await scene.merge([...files, '--side', side, '--to', ':one.pcapng']);
    expect([side, await dataOf(scene.pathOf('one.pcapng'))]).toEqual([side, kept]);
  }
}, 120_000);

const transferBytes = 5_000_000;
const port = 5_001;

/** The host cuts what it sends into this interface into segments of the MTU, as a network card does. */
async function cutIntoSegments(testbed: BridgeTestbed, hostInterface: string): Promise<void> {
  await run(testbed.inHost(['ip', 'link', 'set', hostInterface, 'gso_max_segs', '1']));
}

type Ends = { readonly client: TestbedPod; readonly server: TestbedPod };

/** Captures at both ends how the client sends that many bytes, and writes who captured it. */
async function captureTransfer({ client, server }: Ends, pathOf: (name: string) => string): Promise<void> {
  await using running = new AsyncDisposableStack();
  const captures = await Promise.all(
    [client, server].map(async (pod) => {
      const path = pathOf(`${pod.name}.pcap`);
      const capture = running.use(startChild(pod.command(tcpdump(path)), () => {}));
      await until(async () => (await run(['sh', '-c', `wc -c <"$1" || true`, 'sh', path])).trim() === '24', {
        what: 'the capture',
      });
      return { pod, path, capture };
    }),
  );
  const receiver = running.use(startChild(server.command([process.execPath, '-e', receive]), () => {}));
  await receiver.ready;
  await run(client.command([process.execPath, '-e', send(server.address)]));
  await receiver.ended;
  for (const { pod, path, capture } of captures) {
    await capture.stop();
    await writeFile(pathOf(`${pod.name}.pcapng`), await withAddress(path, pod));
  }
}

/** Delivers each packet at once: it would not read what waits in its buffer when it is stopped. */
function tcpdump(path: string): Argv {
  const whatFor = ['-i', 'eth0', '-s', '200', 'tcp'];
  return ['tcpdump', '--immediate-mode', '-B', '65536', '-U', '-Z', 'root', '-w', path, ...whatFor];
}

const receive = `require('node:net').createServer({ allowHalfOpen: true }, (socket) =>
  socket.resume().on('end', () => { socket.end(); process.exitCode = 0; })
    .on('close', () => process.exit()))
  .listen(${port}, () => console.log('ready'))`;

function send(address: string): string {
  return `require('node:net').connect(${port}, '${address}').end(Buffer.alloc(${transferBytes})).resume()`;
}

/** A capture in pcapng, with the address of the Pod. */
async function withAddress(path: string, { name, address }: TestbedPod): Promise<Buffer> {
  const opened = await openCaptureFiles([path]);
  if (opened.kind !== 'capture') throw new Error(opened.message);
  await using reader = opened.reader;
  const [description] = reader.interfaces;
  if (!description) throw new Error('there is no interface');
  const writer = pcapngWriter('test');
  const number = writer.addInterface({ ...description, name, addresses: [address] });
  if (typeof number !== 'number') throw new Error(number.message);
  while (await reader.next()) writer.writePacket(reader.packet, number, 0);
  return Buffer.from(writer.take());
}

type Data = { readonly segments: number; readonly bytes: number; readonly retransmissions: number };

/** What the client has sent to the server, as tshark sees it. */
async function dataOf(path: string): Promise<Data> {
  const toServer = `tcp.dstport == ${port} and tcp.len > 0`;
  const lengths = await tsharkField(path, 'tcp.len', toServer);
  const retransmitted = await tsharkField(path, 'tcp.len', `${toServer} and tcp.analysis.retransmission`);
  return {
    segments: lengths.length,
    bytes: lengths.reduce((sum, length) => sum + Number(length), 0),
    retransmissions: retransmitted.length,
  };
}
