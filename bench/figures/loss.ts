import { setTimeout as sleep } from 'node:timers/promises';
import { type Arena, openArena } from '../contenders/arena.ts';
import { carriedDuring, type Load, loads } from '../contenders/bench-traffic.ts';
import type { Contender, ContenderName } from '../contenders/contender.ts';
import type { Figure, Measurement, Measuring, Row } from '../figure.ts';
import { median, summary } from '../support/statistics.ts';

/** Of the packets that a captured Pod's interface carries, the share that the capture does not have. */
export const loss: Figure = {
  name: 'loss',
  unit: '%',
  goal: '0 to 2 Gb/s and with 128 bytes of each packet, in every run; a median of <= 5 at the full speed of TCP',
  runs: 5,
  needs: 'network',
  measure,
};

const variants: readonly ContenderName[] = ['podcap', 'host-tcpdump', 'tcpdump-ring', 'dumpcap'];
const seconds = 5;
/** tcpdump holds a block for up to a second; without it, what lies there at the end would count as lost. */
const settleMs = 1_500;
const mostAtFullSpeed = 5;
/** A load that was not there proves nothing: so much of its rate must have been carried. */
const leastOfRate = 0.9;

type LossCase = { readonly load: Load; readonly snaplen: number | undefined };
const cases: readonly LossCase[] = [undefined, 128].flatMap((snaplen) =>
  [loads.small, loads.oneGigabit, loads.twoGigabits, loads.stream].map((load) => ({ load, snaplen })),
);

type LossRun = {
  readonly variant: string;
  readonly parameter: string;
  /** In packets. */
  readonly carried: number;
  /** How often the capture sees each of them: by two interfaces, twice. */
  readonly copies: number;
  readonly captured: number;
};

async function measure({ runs, say }: Measuring): Promise<Measurement> {
  await using arena = await openArena(2, variants);
  const all: LossRun[] = [];
  for (let round = 0; round < runs; round += 1) {
    for (const each of cases)
      for (const contender of arena.contenders) {
        const run = await measureOnce(arena, contender, each);
        all.push(run);
        say(
          `round ${round + 1} of ${runs}: ${run.parameter}: ${run.variant} ${lostPercent(run).toFixed(2)} %`,
        );
      }
  }
  return measurementOf(all);
}

async function measureOnce(
  arena: Arena,
  contender: Contender,
  { load, snaplen }: LossCase,
): Promise<LossRun> {
  const route = { from: arena.pod(0), to: arena.pod(1), sink: arena.testbed.sink };
  const captures = await contender.start([route.from], { snaplen });
  const carried = await carriedDuring(route.from, async () => {
    await load.send(route, seconds * 1_000);
    await sleep(settleMs);
  });
  const [count] = await captures.stop();
  if (!count) throw new Error(`${contender.variant} counted nothing`);
  return {
    variant: contender.variant,
    parameter: parameterOf({ load, snaplen }),
    carried,
    copies: Math.max(1, Math.round(count.received / carried)),
    captured: count.captured,
  };
}

function parameterOf({ load, snaplen }: LossCase): string {
  return snaplen === undefined ? load.name : `${load.name}, ${snaplen} B of each`;
}

/** A packet more than the counters tell is one of ARP, at the begin or the end. */
function lostPercent({ carried, copies, captured }: LossRun): number {
  return 100 * Math.max(0, 1 - captured / (copies * carried));
}

function measurementOf(runs: readonly LossRun[]): Measurement {
  const rows = cases.flatMap((each) => {
    const parameter = parameterOf(each);
    return variants.map((variant) =>
      rowOf(
        each.load,
        runs.filter((run) => run.variant === variant && run.parameter === parameter),
      ),
    );
  });
  return { isReached: rows.filter(({ variant }) => variant === 'podcap').every(isReached), rows };
}

function isReached({ parameter, median: middle, max, details }: LossRow): boolean {
  return details.wasCarried && (parameter === loads.stream.name ? middle <= mostAtFullSpeed : max === 0);
}

type LossRow = Omit<Row, 'details'> & { readonly details: LossDetails };

type LossDetails = {
  readonly wasCarried: boolean;
  readonly carried: readonly number[];
  readonly captured: readonly number[];
  readonly copies: readonly number[];
};

function rowOf(load: Load, runs: readonly LossRun[]): LossRow {
  const [first] = runs;
  if (!first) throw new Error('no runs');
  const { variant, parameter } = first;
  const values = runs.map(lostPercent);
  const perSecond = median(runs.map(({ carried }) => carried / seconds));
  const wasCarried = load.rate === undefined || perSecond >= leastOfRate * load.rate;
  return {
    variant,
    parameter,
    ...summary(values),
    values,
    remark: `${Math.round(perSecond)} packets/s carried${wasCarried ? '' : `, not ${load.rate}`}`,
    details: {
      wasCarried,
      carried: runs.map(({ carried }) => carried),
      captured: runs.map(({ captured }) => captured),
      copies: runs.map(({ copies }) => copies),
    },
  };
}
