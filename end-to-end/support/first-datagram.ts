import { type CaptureRecord, readRecord } from '../../src/agent/storage/capture-records.ts';
import { until } from '../../src/testbed/until.ts';
import { captureFolder, numbersIn, type RunningPod } from './test-cluster.ts';

export type FirstHeard = {
  /** The Pod's name. */
  readonly name: string;
  /** The first number in its files. */
  readonly first: number;
  /** How many packets its record says had passed before. */
  readonly missedBefore: number;
};

/** Waits until something of that Pod is captured. */
export async function firstHeard(pod: RunningPod): Promise<FirstHeard> {
  const folder = await until(() => captureFolder(pod), {
    what: `the folder of ${pod.name}`,
    deadlineMs: 30_000,
  });
  const first = await until(async () => (await numbersIn(folder))[0], {
    what: `datagrams of ${pod.name}`,
    deadlineMs: 30_000,
  });
  // It is written a moment after the first packet can be in the file.
  const missedBefore = await until(async () => missedBeforeIn(await readRecord(folder, 1)), {
    what: `how many packets of ${pod.name} were missed`,
  });
  return { name: pod.name, first, missedBefore };
}

/** Undefined until tcpdump listens. */
function missedBeforeIn(record: CaptureRecord | undefined): number | undefined {
  return record?.interfacePackets === undefined ? undefined : record.totals.missed;
}
