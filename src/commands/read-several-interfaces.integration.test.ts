import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { specOf } from '../agent/testing/fixtures.ts';
import { recordingScene } from '../agent/testing/recording-scene.ts';
import { until } from '../base/until.ts';
import { tsharkField } from '../pcap/testing/tshark-field.ts';
import { datagramNumber } from '../testbed/datagrams.ts';
import { run } from '../testbed/run-program.ts';
import { vethTestbed } from '../testbed/veth-testbed.ts';
import { readScene } from './testing/read-scene.ts';

const both = { interfaces: ['eth0', 'lo'] };

test('what eth0 and lo capture at once is one file with two interfaces, each datagram once, also after a handover', async () => {
  await using testbed = await vethTestbed();
  await using folder = await readScene();
  await using scene = await recordingScene(testbed, { captures: folder.path });
  const { recorder, reports } = await scene.record(9, both);
  await using sending = await testbed.startDatagrams({ rate: 500 });
  await using onLo = await testbed.startDatagrams({ rate: 500, to: '127.0.0.1' });
  // The file size replaces both tcpdumps, with the same filter: two interfaces, not four.
  recorder.change(specOf(9, { ...both, fileMegabytes: 2 }));
  await until(() => reports.length > 1, { what: 'the next captures' });
  await until(async () => (await scene.tcpdumps()).length === 2, { what: 'the end of the first tcpdumps' });
  const [{ sent }, { sent: sentOnLo }] = await Promise.all([sending.stop(), onLo.stop()]);
  await recorder.stop('AgentStopped');

  const file = join(folder.path, 'web.pcapng');
  const read = await folder.read(['default/web']);
  expect(read).toMatchObject({ code: 0, stderr: '' });
  await writeFile(file, read.stdout);
  expect(await run(['capinfos', file])).toContain('Number of interfaces in file: 2');
  expect(await numbersOn(file, 'default/web/eth0')).toEqual(range(sent));
  expect(await numbersOn(file, 'default/web/lo')).toEqual(range(sentOnLo));
  const times = (await tsharkField(file, 'frame.time_epoch', 'frame')).map(Number);
  expect(times).toEqual(times.toSorted((a, b) => a - b));

  const pcap = join(folder.path, 'web.pcap');
  await writeFile(pcap, (await folder.read(['default/web', '--format', 'pcap'])).stdout);
  const packets = (each: string) => tsharkField(each, 'frame.number', 'frame');
  expect(await packets(pcap)).toHaveLength((await packets(file)).length);
});

/** The numbers of the datagrams which passed that interface, in the order of the file. */
async function numbersOn(path: string, interfaceName: string): Promise<number[]> {
  const filter = `frame.interface_name == "${interfaceName}" && udp && !icmp`;
  const payloads = await tsharkField(path, 'udp.payload', filter);
  return payloads.flatMap((hex) => datagramNumber(Buffer.from(hex, 'hex')) ?? []);
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
