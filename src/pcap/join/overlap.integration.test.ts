import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startTcpdump } from '../../agent/capture/tcpdump.ts';
import type { Spawner } from '../../agent/spawner/spawner.ts';
import { plainCapture, testSpawner } from '../../agent/testing/tcpdump-fixtures.ts';
import { until } from '../../base/until.ts';
import { datagramNumber } from '../../testbed/datagrams.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { udpPayload } from '../../testbed/udp-datagram.ts';
import { type VethTestbed, vethTestbed } from '../../testbed/veth-testbed.ts';
import { openPcap, type PcapFile } from '../pcap-file.ts';
import { joinAll } from '../testing/capture-files.ts';
import type { Source } from './source.ts';

test.each([500, 50_000])(
  'when a second tcpdump replaces the first, each of %i datagrams/s is joined once, in order',
  async (rate) => {
    await using testbed = await vethTestbed();
    await using folder = await temporaryFolder();
    await using sending = await testbed.startDatagrams({ rate });
    await using spawner = await testSpawner();
    const first = await capture(spawner, testbed, join(folder.path, 'a.pcap'));
    await passed(testbed, rate / 5);
    const second = await capture(spawner, testbed, join(folder.path, 'b.pcap'));
    const before = await passed(testbed, rate / 5);
    const endings = [await first.stop('flush')];
    await passed(testbed, rate / 5);
    endings.push(await second.stop('flush'));
    await sending.stop();

    await using opening = new AsyncDisposableStack();
    const sources = [
      await source(opening, folder.path, 'a.pcap'),
      await source(opening, folder.path, 'b.pcap'),
    ];
    const { packets, overlap } = await joinAll(sources);
    const numbers = packets.map((data) => datagramNumber(udpPayload(data, 1)?.payload ?? data) ?? -1);
    const start = numbers[0] ?? 0;
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => start + i));
    const captured = endings.reduce((sum, { statistics }) => sum + (statistics?.captured ?? 0), 0);
    expect(numbers.length + overlap.packets).toBe(captured);
    expect(overlap.packets).toBeGreaterThan(0);
    expect(before).toBeGreaterThan(0);
  },
);

async function capture(spawner: Spawner, { netns }: VethTestbed, file: string) {
  const size = { files: 500, bufferKib: 8_192 };
  const tcpdump = startTcpdump({ ...plainCapture, ...size, spawner, netns, file });
  const started = await tcpdump.started;
  if (started.kind === 'ended') throw new Error(started.message);
  return tcpdump;
}

/** Waits until the Pod's interface has sent that many more packets; returns how many it has. */
async function passed(testbed: VethTestbed, packets: number): Promise<number> {
  const { sentPackets } = await testbed.counters('pod');
  return await until(
    async () => {
      const now = (await testbed.counters('pod')).sentPackets - sentPackets;
      return now >= packets && now;
    },
    { what: `${packets} packets` },
  );
}

async function source(opening: AsyncDisposableStack, folder: string, base: string): Promise<Source> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(base)).toSorted();
  const files: PcapFile[] = [];
  for (const name of names) {
    const file = await openPcap(join(folder, name));
    if (file.kind === 'pcap') files.push(opening.use(file));
  }
  const header = files[0]?.header;
  if (!header) throw new Error(`no capture file ${base}`);
  return { header, interfaceName: 'eth0', place: 'eth0', files };
}
