import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import type { CaptureFolder } from '../storage/generations.ts';
import { specOf } from '../testing/fixtures.ts';
import { recordingScene, ringFilesOf } from '../testing/recording-scene.ts';

describe('a new N while the capture starts', () => {
  let afterStart: number;
  let duringStart: number;

  beforeAll(async () => {
    afterStart = await filesKept({ changes: 'after the start' });
    duringStart = await filesKept({ changes: 'during the start' });
  });

  test('takes effect if it is set after the start', () => {
    expect(afterStart).toBe(6);
  });

  test.fails('takes effect', () => {
    expect(duringStart).toBe(6);
  });
});

describe('a capture that restarts without any traffic', () => {
  let before: readonly number[];
  let after: readonly number[];

  beforeAll(async () => {
    await using testbed = await vethTestbed();
    await using scene = await recordingScene(testbed);
    const { recorder, path } = await scene.record(3);
    // 1,000-byte datagrams: about 930 fill a file.
    await testbed.sendDatagrams({ count: 4_000, rate: 8_000, bytes: 1_000 });
    await recorder.stop('AgentStopped');
    before = await scene.numbers(path);
    for (let times = 0; times < 2; times += 1) {
      const next = await scene.record(3);
      await next.recorder.stop('AgentStopped');
    }
    after = await scene.numbers(path);
  });

  test('has three files up to the last datagram', () => {
    expect(before.at(-1)).toBe(3_999);
    expect(before.length).toBeGreaterThan(2 * 900);
  });

  test.fails('keeps every packet that it had', () => {
    expect(extentOf(after)).toEqual(extentOf(before));
  });
});

function extentOf(numbers: readonly number[]) {
  return { first: numbers[0], last: numbers.at(-1), count: numbers.length };
}

/** How many files there are after N was changed from 3 to 6 and about ten were filled. */
async function filesKept({ changes }: { readonly changes: 'during the start' | 'after the start' }) {
  const starting = Promise.withResolvers<void>();
  const mayStart = Promise.withResolvers<void>();
  const wrapFolder = (folder: CaptureFolder): CaptureFolder => ({
    ...folder,
    async createGeneration(what) {
      starting.resolve();
      await mayStart.promise;
      return await folder.createGeneration(what);
    },
  });
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed, { wrapFolder });
  const { recorder, reports, path } = await scene.start(3);
  await starting.promise;
  if (changes === 'during the start') recorder.change(specOf(6));
  mayStart.resolve();
  await until(() => reports.some(({ kind }) => kind === 'capturing'), { what: 'the capture' });
  if (changes === 'after the start') recorder.change(specOf(6));
  // 1,000-byte datagrams: about 930 fill a file.
  await testbed.sendDatagrams({ count: 9_000, rate: 10_000, bytes: 1_000 });
  await recorder.stop('AgentStopped');
  const files = await ringFilesOf(path);
  if ((files.at(-1)?.index ?? 0) < 6) throw new Error(`no seventh file: ${files.at(-1)?.name}`);
  return files.length;
}
