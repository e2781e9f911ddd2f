import { tmpdir } from 'node:os';
import { run as runProgram } from '../../src/testbed/run-program.ts';
import { type Arena, openArena } from '../contenders/arena.ts';
import { interfacePacketsDuring, loads } from '../contenders/bench-traffic.ts';
import { bytesWritten } from '../contenders/block-device.ts';
import type { Contender, ContenderName } from '../contenders/contender.ts';
import type { Figure, Measurement, MeasureOptions, Row } from '../figure.ts';
import { measureInRounds } from '../support/rounds.ts';
import { rowOf } from '../support/row.ts';
import { median } from '../support/statistics.ts';

/** Bytes written to the disk, as a share of the bytes captured into a ring of ten files of 1 MB. */
export const diskWrites: Figure = {
  name: 'disk-writes',
  unit: '%',
  goal: '<= 2 in every run',
  runs: 3,
  needs: 'network',
  measure,
};

const seconds = 60;
const maxPercent = 2;
const frameBytes = 1_400;
const contenders: readonly ContenderName[] = ['podcap', 'tcpdump-ring', 'dumpcap'];
const noCapture = 'no capture';

type DiskWritesRun = {
  readonly variant: string;
  /** Captured packets; without a capture, the packets that the interface counted. */
  readonly packets: number;
  readonly writtenBytes: number;
};

async function measure(options: MeasureOptions): Promise<Measurement> {
  await using arena = await openArena(2, contenders);
  const runs = await measureInRounds(options, {
    // The step without a contender shows how much the rest of the machine writes.
    steps: [undefined, ...arena.contenders],
    measureStep: (contender) => measureOnce(arena, contender),
    describe: (run) => `${run.variant} ${percentWritten(run).toFixed(2)} %`,
  });
  const rows = [noCapture, ...contenders].map((name) =>
    rowOfRuns(
      name,
      runs.filter(({ variant }) => variant === name),
    ),
  );
  return {
    isReached: rows.every(({ variant, max }) => variant !== 'podcap' || max <= maxPercent),
    rows,
  };
}

async function measureOnce(arena: Arena, contender: Contender | undefined): Promise<DiskWritesRun> {
  const route = { from: arena.pod(0), to: arena.pod(1), sink: arena.testbed.sink };
  await runProgram(['sync']);
  const before = await bytesWritten(tmpdir());
  const captures = await contender?.start([route.from]);
  const interfacePackets = await interfacePacketsDuring(route.from, () =>
    loads.oneGigabit.send(route, seconds * 1_000),
  );
  // What is in the ring at the end counts as well.
  await runProgram(['sync']);
  const writtenBytes = (await bytesWritten(tmpdir())) - before;
  const counts = await captures?.stop();
  return {
    variant: contender?.name ?? noCapture,
    packets: counts?.[0]?.captured ?? interfacePackets,
    writtenBytes,
  };
}

function percentWritten({ packets, writtenBytes }: DiskWritesRun): number {
  return (100 * writtenBytes) / (packets * frameBytes);
}

function rowOfRuns(variant: string, runs: readonly DiskWritesRun[]): Row {
  return {
    ...rowOf(variant, loads.oneGigabit.name, runs.map(percentWritten)),
    remark: `${Math.round(median(runs.map(({ writtenBytes }) => writtenBytes / 1e6)))} MB`,
    details: {
      capturedBytes: runs.map(({ packets }) => packets * frameBytes),
      writtenBytes: runs.map(({ writtenBytes }) => writtenBytes),
    },
  };
}
