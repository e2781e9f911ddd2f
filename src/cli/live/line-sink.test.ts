import { expect, test } from 'vitest';
import { ack, rst, syn, tcpFrame } from '../../pcap/testing/build-packets.ts';
import { plainInterface } from '../../pcap/testing/capture-bytes.ts';
import { packetOf } from '../../pcap/testing/packet-of.ts';
import { cliTerminal } from '../testing/cli-terminal.ts';
import { podColours } from './line-colours.ts';
import { lineSink } from './line-sink.ts';

async function lines({
  frames,
  name = 'shop/web/eth0',
  missingBefore = 0,
  isTTY = false,
  ...options
}: {
  readonly frames: readonly Uint8Array[];
  readonly name?: string;
  readonly missingBefore?: number;
  readonly isTTY?: boolean;
  readonly hasNames?: boolean;
  readonly hasInterfaces?: boolean;
}): Promise<readonly string[]> {
  const { terminal, stdout } = cliTerminal({ isTTY });
  await using sink = lineSink({ terminal, hasNames: false, hasInterfaces: false, ...options });
  for (const frame of frames) {
    const data = Buffer.from(frame).toString('latin1');
    const packet = packetOf({ time: 0n, original: frame.length, data });
    sink.add({ pod: 'web', packet, description: { ...plainInterface, name }, missingBefore });
  }
  await sink.flush();
  return stdout().trimEnd().split('\n');
}

const opening = tcpFrame({ from: 40_000, to: 80, flags: syn, sequence: 7 });

test.for([
  [{}, '00:00:00.000000 10.0.0.1:40000 > 10.0.0.2:80 TCP [SYN]'],
  [{ hasNames: true }, '00:00:00.000000 web 10.0.0.1:40000 > 10.0.0.2:80 TCP [SYN]'],
  [{ hasInterfaces: true }, '00:00:00.000000 eth0 10.0.0.1:40000'],
  [{ hasNames: true, hasInterfaces: true }, '00:00:00.000000 web/eth0 10.0.0.1:40000'],
  [{ hasNames: true, name: 'shop/w\u001b[2Jb/eth0' }, '00:00:00.000000 w\\u001b[2Jb 10.0.0.1:40000'],
] as const)('a line says what is not known anyway: %j', async ([options, start]) => {
  const [line] = await lines({ frames: [opening], ...options });
  expect(line?.slice(0, start.length)).toBe(start);
});

test('what is missing is said where it is missing', async () => {
  const [line] = await lines({ frames: [opening], missingBefore: 3 });
  expect(line).toMatch(/ \[3 missing before this packet\]$/);
});

test('on a terminal, resets are red, and what was sent again is yellow', async () => {
  const reset = tcpFrame({ from: 80, to: 40_000, flags: rst | ack });
  const [first, again, last] = await lines({
    frames: [opening, opening, reset],
    isTTY: true,
    hasNames: true,
  });
  expect(first).not.toContain('\u001b[33m');
  expect(again).toContain('\u001b[36mweb\u001b[39m\u001b[33m 10.0.0.1:40000');
  expect(last).toContain('\u001b[31m 10.0.0.1:80 > ');
});

test('the connections of a Pod whose tap has ended are forgotten', async () => {
  const { terminal, stdout } = cliTerminal({ isTTY: true });
  await using sink = lineSink({ terminal, hasNames: false, hasInterfaces: false });
  const packet = packetOf({
    time: 0n,
    original: opening.length,
    data: Buffer.from(opening).toString('latin1'),
  });
  const live = { packet, description: plainInterface, missingBefore: 0 };
  for (const pod of ['web', 'db']) sink.add({ pod, ...live });
  sink.forget('web');
  for (const pod of ['web', 'db']) sink.add({ pod, ...live });
  await sink.flush();
  const isYellow = stdout()
    .trimEnd()
    .split('\n')
    .map((line) => line.includes('\u001b[33m'));
  expect(isYellow).toEqual([false, false, false, true]);
});

test('the colours of the Pods that came last are known', () => {
  const colourOf = podColours(2);
  expect(['a', 'b', 'a', 'c', 'b', 'a'].map(colourOf)).toEqual([
    'cyan',
    'green',
    'cyan',
    'magenta',
    'green',
    'blue',
  ]);
});
