import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../../../base/until.ts';
import { tsharkPackets } from '../../../commands/testing/tshark-packets.ts';
import { readBytes } from '../../../pcap/testing/read-capture.ts';
import { temporaryFolder } from '../../../testbed/temporary-folder.ts';
import { readFrames } from '../testing/link-scene.ts';
import { inFrames, numbersIn, tapScene, tcpdumpsOf, wholeFrames } from './testing/tap-scene.ts';

const packetBytes = 1_400;
/** Several times as much as waits for a reader at most, in all buffers on the way. */
const many = 40_000;

test.each([
  ['a capture file', {}],
  ['frames', inFrames],
])(
  'a reader that is too slow gets whole packets in order, and hears of each that it did not get: %s',
  async (_what, accept) => {
    await using scene = await tapScene();
    const tap = await scene.open({ filter: 'udp' }, { ...accept, isPaused: true });
    await scene.testbed.sendDatagrams({ count: many, rate: 20_000, bytes: packetBytes });
    const reading = tap.rest();
    await until(async () => (await numbersIn(dataOf(tap.bytes()))).length > 0, { what: 'the first packets' });
    await scene.testbed.sendDatagrams({ count: 10, firstNumber: many, rate: 100 });
    scene.pods.clear();
    const { bytes, isComplete } = await reading;
    expect(isComplete).toBe(true);
    const capture = dataOf(bytes);
    const { packets, damage, received } = await readBytes(capture);
    const numbers = await numbersIn(capture);
    expect(damage).toEqual([]);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(numbers.length).toBeLessThan(many);
    expect(numbers.slice(-10)).toEqual(Array.from({ length: 10 }, (_, number) => many + number));
    const missing = packets.reduce((sum, { options }) => sum + (options?.dropped ?? 0), 0);
    expect(numbers.length + missing).toBe(many + 10);
    expect(received[0]).toMatchObject({ received: many + 10 });
    const { gaps, end } = readFrames(accept === inFrames ? bytes : Buffer.alloc(0));
    if (accept !== inFrames) return;
    expect(gaps.reduce((sum, gap) => sum + (gap.packets ?? 0), 0)).toBe(missing);
    expect(end).toMatchObject({ packets: numbers.length, dropped: missing });

    function dataOf(all: Buffer): Buffer {
      return accept === inFrames ? wholeFrames(all).data : all;
    }
  },
);

test('tshark reads what a slow reader got', async () => {
  await using folder = await temporaryFolder();
  await using scene = await tapScene();
  const tap = await scene.open({ duration: '3s' }, { isPaused: true });
  await scene.testbed.sendDatagrams({ count: many, rate: 20_000, bytes: packetBytes });
  const { bytes } = await tap.rest();
  const file = join(folder.path, 'tap.pcapng');
  await writeFile(file, bytes);
  expect(await tsharkPackets(file)).toHaveLength((await readBytes(bytes)).packets.length);
});

test.each(['before the first packet', 'among packets', 'that reads nothing', 'with its connection'])(
  'a reader that goes takes its tcpdump with it: %s',
  async (when) => {
    await using scene = await tapScene();
    const tap = await scene.open({}, { isPaused: when === 'that reads nothing' });
    await using _sending = await scene.testbed.startDatagrams({
      rate: when.startsWith('before') ? 1 : 5_000,
    });
    if (!when.startsWith('before')) await scene.testbed.sendDatagrams({ count: 2_000, rate: 0 });
    if (when === 'with its connection') scene.cut();
    else tap.stream.close();
    await until(async () => scene.taps.counts().open === 0, {
      what: 'the end of the tap',
      deadlineMs: 2_000,
    });
    expect(await tcpdumpsOf(scene.testbed)).toEqual([]);
  },
);

test('a reader that goes while the filter is compiled leaves nothing', async () => {
  await using scene = await tapScene();
  // It never gets an answer.
  scene.open({ filter: 'tcp' }).catch(() => {});
  await until(() => scene.taps.counts().open === 1, { what: 'the request' });
  scene.cut();
  await until(async () => scene.taps.counts().open === 0, { what: 'the end of the tap' });
  expect(await tcpdumpsOf(scene.testbed)).toEqual([]);
});

test('an agent that stops says so, and cuts a capture file', async () => {
  await using scene = await tapScene();
  const framed = await scene.open({}, inFrames);
  const file = await scene.open();
  await scene.taps[Symbol.asyncDispose]();
  expect(readFrames((await framed.rest()).bytes).end).toMatchObject({
    reason: 'AgentStopping',
    isComplete: false,
  });
  expect((await file.rest()).isComplete).toBe(false);
  expect(await tcpdumpsOf(scene.testbed)).toEqual([]);
});
