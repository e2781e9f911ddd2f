import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { until } from '../../../base/until.ts';
import { capturedNumbers } from '../../../pcap/testing/captured-numbers.ts';
import { temporaryFolder } from '../../../testbed/temporary-folder.ts';
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
  const log = pino({ level: 'silent' });
  const held = heldFiles({ mostBytes: 1e9 });
  const clock = { nowMs: () => performance.now(), bootId: 'boot' };
  const route = recordingsRoute({ capturesFolder: dirname(path), held, mostReaders: 1, clock, log });
  await using link = await linkScene(route);
  const stream = link.request(`/v1/recording?uid=${scenePod.uid}&follow=true&format=pcap`);
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await using folder = await temporaryFolder();
  const numbers = async () => {
    const file = join(folder.path, 'followed.pcap');
    await writeFile(file, Buffer.concat(chunks));
    return await capturedNumbers(file);
  };
  const received = (atLeast: number) =>
    until(async () => chunks.length > 0 && (await numbers()).length >= atLeast, {
      what: `${atLeast} datagrams`,
    });
  await received(3_000);
  recorder.change(specOf(4, { fileMegabytes: 1, filter: 'udp' }));
  await received(12_000);
  recorder.change(specOf(4, { fileMegabytes: 1 }));
  await received(20_000);
  await sending.stop();
  stream.close(8);
  await link.idle();
  const got = await numbers();
  expect(got).toEqual(Array.from({ length: got.length }, (_, i) => (got[0] ?? 0) + i));
  await recorder.stop('AgentStopped');
});
