import { link, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { capturedNumbers } from '../../pcap/testing/captured-numbers.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { parseRingFile } from '../storage/file-names.ts';
import { recordingScene, ringFilesOf } from '../testing/recording-scene.ts';

const port = 7;
// 190 files: no name is reused.
const count = 130_000;
const files = 20;

test.each([1, 2, 3, 4, 5])(
  'at a rate at which the kernel drops, each datagram is in a file, pruned, dropped or lost at stop (%i)',
  async () => {
    await using testbed = await vethTestbed();
    await using scene = await recordingScene(testbed, { bufferKib: 256 });
    const { recorder, reports, path } = await scene.record(files, { filter: `udp port ${port}` });
    await using links = await linkFiles(path);
    // What the filter leaves out costs CPU time as well, and is in no counter.
    await using other = await testbed.startDatagrams({ rate: 0, bytes: 1_400 });
    const sent = await testbed.sendDatagrams({ count, rate: 0, bytes: 1_400, port });
    await recorder.stop('AgentStopped');
    await other.stop();

    const existing = new Set((await ringFilesOf(path)).map(({ name }) => name));
    const everyFile = await links.numbers();
    const inFiles = [...everyFile].filter(([name]) => existing.has(name)).flatMap(([, numbers]) => numbers);
    const pruned = [...everyFile].filter(([name]) => !existing.has(name)).flatMap(([, numbers]) => numbers);
    const last = reports.at(-1);
    if (last?.kind !== 'stopped') throw new Error('the recording has not stopped');
    const { totals } = last;
    expect(sent).toBe(count);
    expect(totals.dropped).toBeGreaterThan(0);
    expect(existing.size).toBe(files);
    expect(totals.pruned).toBe(pruned.length);
    expect(totals.captured).toBe(inFiles.length + pruned.length);
    expect(new Set([...pruned, ...inFiles]).size).toBe(totals.captured);
    expect(inFiles.length + pruned.length + totals.dropped + totals.lostAtStop).toBe(sent);
  },
);

/** Links each capture file as soon as it appears, so that it can be read after the ring has deleted it. */
async function linkFiles(path: string) {
  const folder = await temporaryFolder();
  const linked = new Set<string>();
  const ending = new AbortController();

  async function linkNew(): Promise<void> {
    const added = (await readdir(path)).filter((name) => parseRingFile(name) && !linked.has(name));
    for (const name of added) {
      await link(join(path, name), join(folder.path, name));
      linked.add(name);
    }
  }
  async function linkUntilAborted(): Promise<void> {
    while (!ending.signal.aborted) {
      await linkNew();
      await sleep(5);
    }
  }
  const linking = linkUntilAborted();

  return {
    /** The numbers of the datagrams in each file. */
    async numbers(): Promise<ReadonlyMap<string, readonly number[]>> {
      ending.abort();
      await linking;
      await linkNew();
      const read = [...linked].map(
        async (name) => [name, await capturedNumbers(join(folder.path, name))] as const,
      );
      return new Map(await Promise.all(read));
    },
    async [Symbol.asyncDispose]() {
      ending.abort();
      await linking.catch(() => {});
      await folder[Symbol.asyncDispose]();
    },
  };
}
