import { type Arena, openArena } from '../contenders/arena.ts';
import { datagrams, type Load, loads } from '../contenders/bench-traffic.ts';
import type { Contender, ContenderCaptures, ContenderName } from '../contenders/contender.ts';
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

const variants: readonly ContenderName[] = ['podcap', 'host-tcpdump', 'tcpdump-ring', 'dumpcap'];

type CpuCase = {
  readonly parameter: string;
  readonly pods: number;
  readonly load: Load;
  readonly seconds: number;
  /** Of all captures together, from what they have captured. */
  readonly units: (capturedPackets: number) => number;
};

const cases: readonly CpuCase[] = [
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

type CpuRun = { readonly variant: string; readonly parameter: string; readonly ms: number };

async function measure({ runs, say }: Measuring): Promise<Measurement> {
  await using arena = await openArena(11, variants);
  const all: CpuRun[] = [];
  for (let round = 0; round < runs; round += 1) {
    for (const each of cases)
      for (const contender of arena.contenders) {
        const run = await measureOnce(arena, contender, each);
        all.push(run);
        say(`round ${round + 1} of ${runs}: ${run.parameter}: ${run.variant} ${run.ms.toFixed(2)} ms`);
      }
  }
  return measurementOf(all);
}

async function measureOnce(
  arena: Arena,
  contender: Contender,
  { parameter, pods, load, seconds, units }: CpuCase,
): Promise<CpuRun> {
  const captured = arena.testbed.pods.slice(1, 1 + pods);
  const captures = await contender.start(captured);
  const before = await spent(captures);
  await Promise.all(
    captured.map((from) => load.send({ from, to: arena.pod(0), sink: arena.testbed.sink }, seconds * 1_000)),
  );
  const ms = (await spent(captures)) - before;
  const counts = await captures.stop();
  // By the host's interfaces each packet is captured twice, which is no more of it.
  const copies = contender.variant === 'host-tcpdump' ? 2 : 1;
  const packets = counts.reduce((sum, count) => sum + count.captured / copies, 0);
  return { variant: contender.variant, parameter, ms: ms / units(packets) };
}

async function spent(captures: ContenderCaptures): Promise<number> {
  return await cpuMs(await captures.processes());
}

function measurementOf(runs: readonly CpuRun[]): Measurement {
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

function rowOf(variant: string, parameter: string, runs: readonly CpuRun[]): Row {
  const values = runs.map(({ ms }) => ms);
  return { variant, parameter, ...summary(values), values };
}
