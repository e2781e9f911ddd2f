import { type Arena, openArena } from '../contenders/arena.ts';
import { datagrams, type Load, loads } from '../contenders/bench-traffic.ts';
import { type Contender, type ContenderCaptures, contenderNames } from '../contenders/contender.ts';
import { cpuMs } from '../contenders/process-usage.ts';
import type { Figure, Measurement, MeasureOptions } from '../figure.ts';
import { measureInRounds } from '../support/rounds.ts';
import { rowOf } from '../support/row.ts';

/** The CPU time of all processes of a capture, the agent's included. */
export const cpu: Figure = {
  name: 'cpu',
  unit: 'ms of CPU',
  goal: 'none; compared with the peers',
  runs: 5,
  needs: 'network',
  measure,
};

type CpuCase = {
  readonly parameter: string;
  readonly pods: number;
  readonly load: Load;
  readonly seconds: number;
  /** By what the CPU time of all captures is divided, from the packets that they captured. */
  readonly divisor: (capturedPackets: number) => number;
};

const cases: readonly CpuCase[] = [
  {
    parameter: 'per captured Gb, at 1 Gb/s',
    pods: 1,
    load: loads.oneGigabit,
    seconds: 10,
    divisor: (packets) => (packets * 1_400 * 8) / 1e9,
  },
  {
    parameter: 'per capture and second, 10 captures of 1,000 packets/s each',
    pods: 10,
    load: datagrams('1,000 packets/s', { frameBytes: 200, rate: 1_000 }),
    // The agent asks each tcpdump for its counters every 15 s.
    seconds: 30,
    divisor: (packets) => packets / 1_000,
  },
];
const maxPods = Math.max(...cases.map(({ pods }) => pods));

type CpuRun = { readonly variant: string; readonly parameter: string; readonly ms: number };

async function measure(options: MeasureOptions): Promise<Measurement> {
  await using arena = await openArena(1 + maxPods, contenderNames);
  const runs = await measureInRounds(options, {
    steps: cases.flatMap((cpuCase) => arena.contenders.map((contender) => ({ contender, cpuCase }))),
    measureStep: ({ contender, cpuCase }) => measureOnce(arena, contender, cpuCase),
    describe: ({ parameter, variant, ms }) => `${parameter}: ${variant} ${ms.toFixed(2)} ms`,
  });
  return measurementOf(runs);
}

async function measureOnce(
  arena: Arena,
  contender: Contender,
  { parameter, pods, load, seconds, divisor }: CpuCase,
): Promise<CpuRun> {
  const capturedPods = arena.testbed.pods.slice(1, 1 + pods);
  const captures = await contender.start(capturedPods);
  const before = await cpuMsOf(captures);
  await Promise.all(
    capturedPods.map((from) =>
      load.send({ from, to: arena.pod(0), sink: arena.testbed.sink }, seconds * 1_000),
    ),
  );
  const ms = (await cpuMsOf(captures)) - before;
  const counts = await captures.stop();
  // On all of the host's interfaces each packet is captured twice: it counts once.
  const copies = contender.name === 'host-tcpdump' ? 2 : 1;
  const packets = counts.reduce((sum, { captured }) => sum + captured / copies, 0);
  return { variant: contender.name, parameter, ms: ms / divisor(packets) };
}

async function cpuMsOf(captures: ContenderCaptures): Promise<number> {
  return await cpuMs(await captures.processes());
}

function measurementOf(runs: readonly CpuRun[]): Measurement {
  const valuesOf = (name: string, each: CpuCase) =>
    runs
      .filter(({ variant, parameter }) => variant === name && parameter === each.parameter)
      .map(({ ms }) => ms);
  const rows = cases.flatMap((each) =>
    contenderNames.map((name) => rowOf(name, each.parameter, valuesOf(name, each))),
  );
  return { isReached: true, rows };
}
