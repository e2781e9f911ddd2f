import { type CaptureRecord, readRecord } from '../../src/agent/storage/capture-records.ts';
import { until } from '../../src/base/until.ts';
import type { RunningPod } from './namespace-pods.ts';
import { waitForCaptureFolder } from './node-captures.ts';
import { numbersIn } from './ring-contents.ts';

/** The start of what was captured of a Pod. */
export type FirstDatagram = {
  /** The Pod's name. */
  readonly name: string;
  /** The first number in its files. */
  readonly first: number;
  /** How many packets passed before, according to its record. */
  readonly missedBefore: number;
};

/** Waits until a datagram of that Pod is captured. */
export async function waitForFirstDatagram(pod: RunningPod): Promise<FirstDatagram> {
  const folder = await waitForCaptureFolder(pod);
  const first = await until(async () => (await numbersIn(folder))[0], {
    what: `datagrams of ${pod.name}`,
    deadlineMs: 30_000,
  });
  // The record can be written a moment after the first packet is in the file.
  const missedBefore = await until(async () => missedBeforeIn(await readRecord(folder, 1)), {
    what: `how many packets of ${pod.name} were missed`,
  });
  return { name: pod.name, first, missedBefore };
}

/** Undefined until tcpdump listens. */
function missedBeforeIn(record: CaptureRecord | undefined): number | undefined {
  return record?.interfacePackets === undefined ? undefined : record.totals.missed;
}
