import { tmpdir } from 'node:os';
import { run as command } from '../../src/testbed/run-program.ts';
import { type Arena, openArena } from '../contenders/arena.ts';
import { carriedDuring, loads } from '../contenders/bench-traffic.ts';
import { bytesWritten } from '../contenders/block-device.ts';
import type { Contender, ContenderName } from '../contenders/contender.ts';
import type { Figure, Measurement, Measuring, Row } from '../figure.ts';
import { summary } from '../support/statistics.ts';

/** Bytes that go to the disk, for each byte that a ring of ten files of 1 MB captures. */
export const diskWrites: Figure = {
  name: 'disk-writes',
  unit: '%',
  goal: '<= 2 in every run',
  runs: 3,
  needs: 'network',
  measure,
};

const seconds = 60;
const most = 2;
const frameBytes = 1_400;
const variants: readonly ContenderName[] = ['podcap', 'tcpdump-ring', 'dumpcap'];

type DiskWritesRun = {
  readonly variant: string;
  /** Packets: without a capture those that were carried. */
  readonly captured: number;
  readonly writtenBytes: number;
};

async function measure({ runs, say }: Measuring): Promise<Measurement> {
  await using arena = await openArena(2, variants);
  const all: DiskWritesRun[] = [];
  for (let round = 0; round < runs; round += 1) {
    // The rest of the machine writes too: how much, is seen without a capture.
    for (const contender of [undefined, ...arena.contenders]) {
      const measured = await measureOnce(arena, contender);
      all.push(measured);
      say(`round ${round + 1} of ${runs}: ${measured.variant} ${percent(measured).toFixed(2)} %`);
    }
  }
  const rows = ['no capture', ...variants].map((variant) =>
    rowOf(all.filter((each) => each.variant === variant)),
  );
  return {
    isReached: rows.every(({ variant, max }) => variant !== 'podcap' || max <= most),
    rows,
  };
}

async function measureOnce(arena: Arena, contender: Contender | undefined): Promise<DiskWritesRun> {
  const route = { from: arena.pod(0), to: arena.pod(1), sink: arena.testbed.sink };
  await command(['sync']);
  const before = await bytesWritten(tmpdir());
  const captures = await contender?.start([route.from]);
  const carried = await carriedDuring(route.from, () => loads.oneGigabit.send(route, seconds * 1_000));
  // What the ring holds at the end counts as well.
  await command(['sync']);
  const writtenBytes = (await bytesWritten(tmpdir())) - before;
  const counts = await captures?.stop();
  return {
    variant: contender?.variant ?? 'no capture',
    captured: counts?.[0]?.captured ?? carried,
    writtenBytes,
  };
}

function percent({ captured, writtenBytes }: DiskWritesRun): number {
  return (100 * writtenBytes) / (captured * frameBytes);
}

function rowOf(runs: readonly DiskWritesRun[]): Row {
  const values = runs.map(percent);
  return {
    variant: runs[0]?.variant ?? '',
    parameter: loads.oneGigabit.name,
    ...summary(values),
    values,
    remark: `${Math.round(summary(runs.map(({ writtenBytes }) => writtenBytes / 1e6)).median)} MB`,
    details: {
      capturedBytes: runs.map(({ captured }) => captured * frameBytes),
      writtenBytes: runs.map(({ writtenBytes }) => writtenBytes),
    },
  };
}
