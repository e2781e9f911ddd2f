import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { packets, readScene } from '../../commands/testing/read-scene.ts';
import { openCaptureStream } from '../../pcap/read/capture-reader.ts';
import { keepAliveBlock } from './keep-alive-block.ts';

/** Reads a capture to its end: how many packets it has, and what is wrong with it. */
async function readBack(bytes: Uint8Array) {
  const stream = new PassThrough();
  stream.end(bytes);
  const opened = await openCaptureStream(stream, { name: 'web' });
  if (opened.kind !== 'capture') throw new Error(opened.kind);
  await using reader = opened.reader;
  let count = 0;
  while (await reader.next()) count += 1;
  return { count, damage: reader.damage.map(({ kind }) => kind) };
}

test('a block that keeps a stream alive is no packet, and no end of the capture', async () => {
  await using scene = await readScene();
  await scene.file({ index: 0, packets: packets(0, 5) });
  const { stdout } = await scene.read(['default/web']);
  // Without what it ends with.
  const statisticsAt = stdout.length - stdout.readUInt32LE(stdout.length - 4);
  const cut = stdout.subarray(0, statisticsAt);
  expect(await readBack(stdout)).toEqual({ count: 5, damage: [] });
  expect(await readBack(cut)).toEqual({ count: 5, damage: ['unmarked'] });
  expect(await readBack(Buffer.concat([cut, keepAliveBlock()]))).toEqual({ count: 5, damage: ['unmarked'] });
  const whole = Buffer.concat([cut, keepAliveBlock(), stdout.subarray(statisticsAt)]);
  expect(await readBack(whole)).toEqual({ count: 5, damage: [] });
});
