import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import type { CaptureSpec } from '../planner/annotations.ts';
import type { CaptureFolder } from '../storage/generations.ts';
import { specOf } from '../testing/fixtures.ts';
import { recordingScene, ringFilesOf } from '../testing/recording-scene.ts';

/** When the number of files changes, and which capture it is about. */
const moments = {
  'after the start': { generation: 1, during: false },
  'during the start': { generation: 1, during: true },
  'after the capture was replaced': { generation: 2, during: false },
  'while the capture is replaced': { generation: 2, during: true },
} as const;

test.each([
  ['after the start', [6], 6],
  ['during the start', [6], 6],
  ['during the start', [2], 2],
  ['during the start', [9, 3, 6], 6],
  ['after the capture was replaced', [6], 6],
  ['while the capture is replaced', [6], 6],
  ['while the capture is replaced', [2], 2],
] satisfies [keyof typeof moments, number[], number][])(
  'a number of files that changes %s to %j takes effect',
  async (moment, changes, expected) => {
    expect(await filesKept(moments[moment], changes)).toBe(expected);
  },
);

type Moment = (typeof moments)[keyof typeof moments];

/** How many files that capture has after N was changed from 3, and about ten were filled. */
async function filesKept({ generation, during }: Moment, changes: readonly number[]): Promise<number> {
  const gate = startGate(generation);
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed, { wrapFolder: gate.wrap });
  const { recorder, reports, path } = await scene.start(3);
  const captures = (number: number) => () =>
    reports.some((report) => report.kind === 'capturing' && report.generation === number);
  const spec: Partial<CaptureSpec> = generation === 1 ? {} : { snaplen: 1_000 };
  const change = () => {
    for (const files of changes) recorder.change(specOf(files, spec));
  };
  if (generation === 2) {
    await until(captures(1), { what: 'the first capture' });
    // Another tcpdump replaces the first.
    recorder.change(specOf(3, spec));
  }
  await gate.starting;
  if (during) change();
  gate.open();
  await until(captures(generation), { what: 'the capture' });
  if (!during) change();
  // 1,000-byte datagrams: about 930 fill a file.
  await testbed.sendDatagrams({ count: 9_500, rate: 10_000, bytes: 1_000 });
  await recorder.stop('AgentStopped');
  const files = (await ringFilesOf(path)).filter((file) => file.generation === generation);
  if ((files.at(-1)?.index ?? 0) < 6) throw new Error(`no seventh file: ${files.at(-1)?.name}`);
  return files.length;
}

/** Holds the start of one capture until open() is called. */
function startGate(generation: number) {
  const starting = Promise.withResolvers<void>();
  const mayStart = Promise.withResolvers<void>();
  let starts = 0;
  return {
    starting: starting.promise,
    open: () => mayStart.resolve(),
    wrap: (folder: CaptureFolder): CaptureFolder => ({
      ...folder,
      async createGeneration(what) {
        starts += 1;
        if (starts === generation) {
          starting.resolve();
          await mayStart.promise;
        }
        return await folder.createGeneration(what);
      },
    }),
  };
}
