import { appendFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readScene, web } from '../../commands/testing/read-scene.ts';
import { fileHeaderBytes } from '../../pcap/pcap-format.ts';
import { captureFile, type TestPacket } from '../../pcap/testing/capture-files.ts';
import { packetTimesReader } from './packet-times.ts';
import { readRecording } from './recordings.ts';

const packet = (timeUs: number): TestPacket => ({ timeUs, data: Buffer.alloc(100) });
const name = (index: number) => `captres-web.1.pcap00000000${index}`;

async function scene() {
  const opened = await readScene();
  const times = packetTimesReader();
  return {
    ...opened,
    path: (index: number) => join(opened.pathOf(), name(index)),
    times: async () => {
      const recording = await readRecording(opened.pathOf(), web);
      return recording && (await times.of(recording));
    },
    reader: times,
  };
}

test('the times are those of the first and the last whole packet, whatever is between', async () => {
  await using files = await scene();
  await files.file({ index: 0, packets: [] });
  await files.file({ index: 1, packets: [packet(10), packet(20)] });
  await files.file({ index: 2, packets: [packet(30), packet(40)] });
  await files.file({ index: 3, packets: [] });
  await files.file({ generation: 2, index: 0, packets: [packet(5)] });
  expect(await files.times()).toEqual({ firstUs: 5, lastUs: 40 });
});

test('of a file that grows, what has been read is not read again', async () => {
  await using files = await scene();
  await files.file({ index: 0, packets: [packet(10)] });
  const start = captureFile([packet(10)]);
  const more = captureFile([packet(20), packet(30)]).subarray(fileHeaderBytes);
  // Half a packet is none yet.
  await appendFile(files.path(0), more.subarray(0, 50));
  expect(await files.times()).toEqual({ firstUs: 10, lastUs: 10 });
  // What was read by then is broken now: whoever reads it again finds nothing.
  await writeFile(
    files.path(0),
    Buffer.concat([start.subarray(0, fileHeaderBytes), Buffer.alloc(16, 0xff)]),
    {
      flag: 'r+',
    },
  );
  await appendFile(files.path(0), more.subarray(50));
  expect(await files.times()).toEqual({ firstUs: 10, lastUs: 30 });
  files.reader.keepOnly(new Set());
  expect(await files.times()).toBeUndefined();
});

test('a file that has become shorter is another one', async () => {
  await using files = await scene();
  await files.file({ index: 0, packets: [packet(10), packet(20)] });
  expect(await files.times()).toEqual({ firstUs: 10, lastUs: 20 });
  await files.file({ index: 0, packets: [packet(7)] });
  expect(await files.times()).toEqual({ firstUs: 7, lastUs: 7 });
});

test('what cannot be read has no packets, and hides none', async () => {
  await using files = await scene();
  await files.file({ index: 0, packets: [packet(10)] });
  await writeFile(files.path(1), 'no capture file');
  expect(await files.times()).toEqual({ firstUs: 10, lastUs: 10 });
  await rm(files.path(0));
  expect(await files.times()).toBeUndefined();
});
