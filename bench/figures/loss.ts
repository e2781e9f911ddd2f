import { setTimeout as sleep } from 'node:timers/promises';
import { type Arena, openArena } from '../contenders/arena.ts';
import { interfacePacketsDuring, type Load, loads } from '../contenders/bench-traffic.ts';
import { type Contender, contenderNames } from '../contenders/contender.ts';
import type { Figure, Measurement, MeasureOptions, Row } from '../figure.ts';
import { measureInRounds } from '../support/rounds.ts';
import { rowOf } from '../support/row.ts';
import { median } from '../support/statistics.ts';

/** Of the packets that a captured Pod's interface counts, the share that is not captured. */
export const loss: Figure = {
  name: 'loss',
  unit: '%',
  goal: '0 up to 2 Gb/s and with 128 bytes of each packet, in every run; <= 5 at full TCP speed (median)',
  runs: 5,
  needs: 'network',
  measure,
};

const seconds = 5;
/** tcpdump keeps a block open for up to a second; without a pause, that block would count as lost. */
const settleMs = 1_500;
const maxPercentAtFullSpeed = 5;
/** A slower load proves nothing: the interface must count this share of the load's rate. */
const minShareOfRate = 0.9;

type LossCase = { readonly load: Load; readonly snaplen: number | undefined };
const cases: readonly LossCase[] = [undefined, 128].flatMap((snaplen) =>
  [loads.small, loads.oneGigabit, loads.twoGigabits, loads.stream].map((load) => ({ load, snaplen })),
);

type LossRun = {
  readonly variant: string;
  readonly parameter: string;
  readonly interfacePackets: number;
  /** How often the contender sees each packet: twice when it captures on two interfaces that the packet crosses. */
  readonly copies: number;
  /** In packets. */
  readonly captured: number;
};

async function measure(options: MeasureOptions): Promise<Measurement> {
  await using arena = await openArena(2, contenderNames);
  const runs = await measureInRounds(options, {
    steps: cases.flatMap((lossCase) => arena.contenders.map((contender) => ({ contender, lossCase }))),
    measureStep: ({ contender, lossCase }) => measureOnce(arena, contender, lossCase),
    describe: (run) => `${run.parameter}: ${run.variant} ${percentLost(run).toFixed(2)} %`,
  });
  return measurementOf(runs);
}

async function measureOnce(
  arena: Arena,
  contender: Contender,
  { load, snaplen }: LossCase,
): Promise<LossRun> {
  const route = { from: arena.pod(0), to: arena.pod(1), sink: arena.testbed.sink };
  const captures = await contender.start([route.from], { snaplen });
  const interfacePackets = await interfacePacketsDuring(route.from, async () => {
    await load.send(route, seconds * 1_000);
    await sleep(settleMs);
  });
  const [counts] = await captures.stop();
  if (!counts) throw new Error(`${contender.name} returned no counts`);
  return {
    variant: contender.name,
    parameter: parameterOf({ load, snaplen }),
    interfacePackets,
    copies: Math.max(1, Math.round(counts.received / interfacePackets)),
    captured: counts.captured,
  };
}

function parameterOf({ load, snaplen }: LossCase): string {
  return snaplen === undefined ? load.name : `${load.name}, ${snaplen} B of each`;
}

/** An ARP packet at the start or the end can make the captured packets one more than the interface counted. */
function percentLost({ interfacePackets, copies, captured }: LossRun): number {
  return 100 * Math.max(0, 1 - captured / (copies * interfacePackets));
}

function measurementOf(runs: readonly LossRun[]): Measurement {
  const rows = cases.flatMap((lossCase) =>
    contenderNames.map((name) => {
      const parameter = parameterOf(lossCase);
      return rowOfRuns(
        { variant: name, parameter },
        lossCase.load,
        runs.filter((run) => run.variant === name && run.parameter === parameter),
      );
    }),
  );
  return { isReached: rows.filter(({ variant }) => variant === 'podcap').every(isReached), rows };
}

function isReached({ parameter, median: middle, max, details }: LossRow): boolean {
  const isWithinGoal = parameter === loads.stream.name ? middle <= maxPercentAtFullSpeed : max === 0;
  return details.isRateReached && isWithinGoal;
}

type LossRow = Omit<Row, 'details'> & { readonly details: LossDetails };

type LossDetails = {
  /** Whether the interface counted enough packets for the load's rate; always true for a load without a rate. */
  readonly isRateReached: boolean;
  readonly interfacePackets: readonly number[];
  readonly captured: readonly number[];
  readonly copies: readonly number[];
};

function rowOfRuns(
  { variant, parameter }: Pick<Row, 'variant' | 'parameter'>,
  { rate }: Load,
  runs: readonly LossRun[],
): LossRow {
  const perSecond = median(runs.map(({ interfacePackets }) => interfacePackets / seconds));
  const isRateReached = rate === undefined || perSecond >= minShareOfRate * rate;
  return {
    ...rowOf(variant, parameter, runs.map(percentLost)),
    remark: `${Math.round(perSecond)} packets/s on the interface${isRateReached ? '' : `, not ${rate}`}`,
    details: {
      isRateReached,
      interfacePackets: runs.map(({ interfacePackets }) => interfacePackets),
      captured: runs.map(({ captured }) => captured),
      copies: runs.map(({ copies }) => copies),
    },
  };
}
