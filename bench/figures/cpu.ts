import { datagrams, type Load, loads } from '../contenders/bench-traffic.ts';
import type { Captures, Variant, Way } from '../contenders/contender.ts';
import { openStage, type Stage } from '../contenders/contenders.ts';
import { cpuMs } from '../contenders/process-usage.ts';
import type { Figure, Measurement, Measuring, Row } from '../figure.ts';
import { summary } from '../support/statistics.ts';

/** The time of a core that all processes of a capture take, the agent's too. */
export const cpu: Figure = {
  name: 'cpu',
  unit: 'ms of CPU',
  goal: 'none, it stands beside the peers',
  runs: 5,
  needs: 'network',
  measure,
};

const variants: readonly Variant[] = ['podcap', 'seeds', 'tcpdump-ring', 'dumpcap'];

type Case = {
  readonly parameter: string;
  readonly pods: number;
  readonly load: Load;
  readonly seconds: number;
  /** Of all captures together, from what they have captured. */
  readonly units: (capturedPackets: number) => number;
};

const cases: readonly Case[] = [
  {
    parameter: 'for each Gb that is captured, at 1 Gb/s',
    pods: 1,
    load: loads.oneGigabit,
    seconds: 10,
    units: (packets) => (packets * 1_400 * 8) / 1e9,
  },
  {
    parameter: 'for each second of a capture of 1,000 packets/s, 10 at a time',
    pods: 10,
    load: datagrams('1,000 packets/s', { frameBytes: 200, rate: 1_000 }),
    // The agent asks each tcpdump every 15 s for what it has counted.
    seconds: 30,
    units: (packets) => packets / 1_000,
  },
];

type Run = { readonly variant: string; readonly parameter: string; readonly ms: number };

async function measure({ runs, say }: Measuring): Promise<Measurement> {
  await using stage = await openStage(11, variants);
  const all: Run[] = [];
  for (let round = 0; round < runs; round += 1) {
    for (const each of cases)
      for (const way of stage.ways) {
        const run = await measureOnce(stage, way, each);
        all.push(run);
        say(`round ${round + 1} of ${runs}: ${run.parameter}: ${run.variant} ${run.ms.toFixed(2)} ms`);
      }
  }
  return measurementOf(all);
}

async function measureOnce(
  stage: Stage,
  way: Way,
  { parameter, pods, load, seconds, units }: Case,
): Promise<Run> {
  const captured = stage.lab.pods.slice(1, 1 + pods);
  const captures = await way.start(captured);
  const before = await spent(captures);
  await Promise.all(
    captured.map((from) => load.send({ from, to: stage.pod(0), sink: stage.lab.sink }, seconds * 1_000)),
  );
  const ms = (await spent(captures)) - before;
  const counts = await captures.stop();
  // By the host's interfaces each packet is captured twice, which is no more of it.
  const copies = way.variant === 'seeds' ? 2 : 1;
  const packets = counts.reduce((sum, count) => sum + count.captured / copies, 0);
  return { variant: way.variant, parameter, ms: ms / units(packets) };
}

async function spent(captures: Captures): Promise<number> {
  return await cpuMs(await captures.processes());
}

function measurementOf(runs: readonly Run[]): Measurement {
  const rows = cases.flatMap(({ parameter }) =>
    variants.map((variant) =>
      rowOf(
        variant,
        parameter,
        runs.filter((run) => run.variant === variant && run.parameter === parameter),
      ),
    ),
  );
  return { isReached: true, rows };
}

function rowOf(variant: string, parameter: string, runs: readonly Run[]): Row {
  const values = runs.map(({ ms }) => ms);
  return { variant, parameter, ...summary(values), values };
}
