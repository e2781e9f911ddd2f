import { expect, test } from 'vitest';
import { captureToStandardOutput } from '../../commands/capture-output.ts';
import { plainInterface } from '../../pcap/testing/capture-bytes.ts';
import { packetOf } from '../../pcap/testing/packet-of.ts';
import { readBytes } from '../../pcap/testing/read-capture.ts';
import { cliTerminal } from '../testing/cli-terminal.ts';
import { arrivingPackets } from './arriving-packets.ts';
import { captureSink } from './capture-sink.ts';
import type { LivePacket } from './live-packet.ts';

const described = { ...plainInterface, name: 'shop/web/eth0' };
const web = { key: 'uid', namespace: 'shop', name: 'web', node: undefined };

/** Of packets with one letter each, those in capitals find no space. */
function arrived(letters: string) {
  const accepted: LivePacket[] = [];
  let refused = 0;
  const arriving = arrivingPackets(
    {
      add(live) {
        const letter = String.fromCharCode(live.packet.buffer[0] ?? 0);
        const hasSpace = letter === letter.toLowerCase();
        if (hasSpace) accepted.push(live);
        return hasSpace;
      },
    },
    () => {
      refused += 1;
    },
  );
  for (const data of letters) arriving.add(web, packetOf({ time: 0n, original: 1, data }), described);
  return { arriving, accepted, refused: () => refused };
}

test('what there is no space for is missing before the next packet of its interface', () => {
  const { arriving, accepted, refused } = arrived('aBCde');
  expect(accepted.map(({ missingBefore }) => missingBefore)).toEqual([0, 2, 0]);
  expect(refused()).toBe(2);
  expect(arriving.takeAllLost()).toEqual([]);
});

test('what comes after the last packet of its interface is told once', () => {
  const { arriving } = arrived('aBC');
  expect(arriving.takeLost('other')).toEqual([]);
  expect(arriving.takeLost('uid')).toEqual([{ description: described, packets: 2 }]);
  expect(arriving.takeAllLost()).toEqual([]);
  expect(arrived('A').arriving.takeAllLost()).toEqual([{ description: described, packets: 1 }]);
});

test('a capture counts them as dropped, also of an interface without a packet', async () => {
  const { terminal, stdoutBytes } = cliTerminal();
  const { arriving, accepted } = arrived('aBcDE');
  {
    await using sink = captureSink(captureToStandardOutput(terminal, 60));
    for (const live of accepted) sink.add(live);
    for (const lost of arriving.takeAllLost()) sink.lost(lost);
    sink.lost({ description: { ...described, name: 'shop/web/net1' }, packets: 4 });
    expect(await sink.end()).toEqual({ kind: 'written' });
  }
  const { interfaces, received } = await readBytes(stdoutBytes());
  expect(interfaces.map(({ name }) => name)).toEqual(['shop/web/eth0', 'shop/web/net1']);
  expect(received.map((counted) => counted?.droppedBySystem)).toEqual([3, 4]);
});
