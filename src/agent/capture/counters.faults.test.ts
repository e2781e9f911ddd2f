import { link, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { capturedNumbers } from '../../testbed/captured-numbers.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { parseRingFile } from '../storage/file-names.ts';
import { recordingScene, ringFilesOf } from '../testing/recording-scene.ts';

const port = 7;
// 190 files: no name is used twice.
const count = 130_000;
const files = 20;

test.each([1, 2, 3, 4, 5])(
  'at a rate at which the kernel drops, each datagram is in a file, pruned, dropped or lost at stop (%i)',
  async () => {
    await using testbed = await vethTestbed();
    await using scene = await recordingScene(testbed, { bufferKib: 256 });
    const { recorder, reports, path } = await scene.record(files, { filter: `udp port ${port}` });
    await using kept = await keepFiles(path);
    // What the filter leaves out costs as well, and is in no number.
    await using other = await testbed.startDatagrams({ rate: 0, bytes: 1_400 });
    const sent = await testbed.sendDatagrams({ count, rate: 0, bytes: 1_400, port });
    await recorder.stop('AgentStopped');
    await other.stop();

    const standing = new Set((await ringFilesOf(path)).map(({ name }) => name));
    const everyFile = await kept.numbers();
    const inFiles = [...everyFile].filter(([name]) => standing.has(name)).flatMap(([, numbers]) => numbers);
    const pruned = [...everyFile].filter(([name]) => !standing.has(name)).flatMap(([, numbers]) => numbers);
    const last = reports.at(-1);
    if (last?.kind !== 'stopped') throw new Error('the recording has not stopped');
    const { totals } = last;
    expect(sent).toBe(count);
    expect(totals.dropped).toBeGreaterThan(0);
    expect(standing.size).toBe(files);
    expect(totals.pruned).toBe(pruned.length);
    expect(totals.captured).toBe(inFiles.length + pruned.length);
    expect(new Set([...pruned, ...inFiles]).size).toBe(totals.captured);
    expect(inFiles.length + pruned.length + totals.dropped + totals.lostAtStop).toBe(sent);
  },
);

/** A second name for each capture file, as soon as it is there: it can still be read when the ring has deleted it. */
async function keepFiles(path: string) {
  const folder = await temporaryFolder();
  const kept = new Set<string>();
  const ending = new AbortController();

  async function look(): Promise<void> {
    const fresh = (await readdir(path)).filter((name) => parseRingFile(name) && !kept.has(name));
    for (const name of fresh) {
      await link(join(path, name), join(folder.path, name));
      kept.add(name);
    }
  }
  async function lookOn(): Promise<void> {
    while (!ending.signal.aborted) {
      await look();
      await sleep(5);
    }
  }
  const looking = lookOn();

  return {
    /** By file. */
    async numbers(): Promise<ReadonlyMap<string, readonly number[]>> {
      ending.abort();
      await looking;
      await look();
      const read = [...kept].map(
        async (name) => [name, await capturedNumbers(join(folder.path, name))] as const,
      );
      return new Map(await Promise.all(read));
    },
    async [Symbol.asyncDispose]() {
      ending.abort();
      await looking.catch(() => {});
      await folder[Symbol.asyncDispose]();
    },
  };
}
