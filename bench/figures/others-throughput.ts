import { setTimeout as sleep } from 'node:timers/promises';
import { type Arena, openArena } from '../contenders/arena.ts';
import { type Protocol, throughput } from '../contenders/bench-traffic.ts';
import type { Contender, ContenderName } from '../contenders/contender.ts';
import type { Figure, Measurement, MeasureOptions, Row } from '../figure.ts';
import { rowOf } from '../support/row.ts';
import { type Estimate, estimate, median } from '../support/statistics.ts';

/** The throughput between two Pods that are not captured, while other Pods of the Node are captured. */
export const othersThroughput = figureOf('udp', 'others-throughput', 'packets/s');
export const othersThroughputTcp = figureOf('tcp', 'others-throughput-tcp', 'bit/s');

function figureOf(protocol: Protocol, name: string, unit: string): Figure {
  return {
    name,
    unit,
    goal: '>= 95 % left while 100 other Pods are captured',
    runs: 10,
    needs: 'network',
    measure: (options) => measure(protocol, options),
  };
}

const captureCounts = [1, 10, 30, 100];
const maxCaptures = Math.max(...captureCounts);
const minShareLeft = 0.95;
const contenders: readonly ContenderName[] = ['podcap', 'host-tcpdump'];
/** While it is uncertain whether the goal is reached, Podcap is measured again, up to this multiple of the runs. */
const maxRoundsFactor = 6;
const windowMs = 2_500;
/** By then the Events of the captures that have ended are written. */
const restMs = 6_000;

/** Two measurements, one right after the other: without captures, then with this number of captures. */
type ThroughputPair = {
  readonly variant: ContenderName;
  readonly captures: number;
  readonly without: number;
  readonly with: number;
};

async function measure(protocol: Protocol, { runs, report }: MeasureOptions): Promise<Measurement> {
  await using arena = await openArena(maxCaptures + 2, contenders);
  const pairs: ThroughputPair[] = [];
  const reportRound = (round: number) =>
    report(`round ${round} of ${runs}: with ${maxCaptures} captures, left: ${describeShares(pairs)}`);
  const measurePodcapAndPeers = async () => {
    for (const captures of captureCounts)
      for (const contender of arena.contenders)
        pairs.push(await measurePair({ protocol, arena, contender, captures }));
  };
  for (let round = 1; round <= runs; round += 1) {
    await measurePodcapAndPeers();
    reportRound(round);
  }
  for (let round = runs + 1; round <= maxRoundsFactor * runs && !isDecided(pairs); round += 1) {
    // In the rounds above, Podcap rests while the other contender is measured.
    await sleep(restMs);
    const contender = arena.contender('podcap');
    pairs.push(await measurePair({ protocol, arena, contender, captures: maxCaptures }));
    reportRound(round);
  }
  return measurementOf(pairs);
}

type PairOptions = {
  readonly protocol: Protocol;
  readonly arena: Arena;
  readonly contender: Contender;
  readonly captures: number;
};

/** The arena's first two Pods send and receive; the captured Pods come after them, and are silent. */
async function measurePair({ protocol, arena, contender, captures }: PairOptions): Promise<ThroughputPair> {
  const route = { from: arena.pod(0), to: arena.pod(1) };
  const without = await throughput(protocol, route, windowMs);
  const running = await contender.start(arena.testbed.pods.slice(2, 2 + captures));
  const during = await throughput(protocol, route, windowMs);
  await running.stop();
  return { variant: contender.name, captures, without, with: during };
}

function ratiosOf(pairs: readonly ThroughputPair[], variant: ContenderName, captures: number): number[] {
  return pairs
    .filter((pair) => pair.variant === variant && pair.captures === captures)
    .map((pair) => pair.with / pair.without);
}

/** Whether the goal is reached, or is missed, with the confidence of the estimate. */
function isDecided(pairs: readonly ThroughputPair[]): boolean {
  const { low, high } = estimate(ratiosOf(pairs, 'podcap', maxCaptures));
  return low >= minShareLeft || high < minShareLeft;
}

function describeShares(pairs: readonly ThroughputPair[]): string {
  return contenders
    .map((name) => `${Math.round(100 * median(ratiosOf(pairs, name, maxCaptures)))} % (${name})`)
    .join(', ');
}

function measurementOf(pairs: readonly ThroughputPair[]): Measurement {
  const rows = contenders.flatMap((name) => {
    const own = pairs.filter(({ variant }) => variant === name);
    return [
      rowOf(
        name,
        '0',
        own.map((pair) => pair.without),
      ),
      ...captureCounts.map((captures) =>
        rowWithRatio(
          rowOf(
            name,
            String(captures),
            own.filter((pair) => pair.captures === captures).map((pair) => pair.with),
          ),
          estimate(ratiosOf(pairs, name, captures)),
        ),
      ),
    ];
  });
  return { isReached: estimate(ratiosOf(pairs, 'podcap', maxCaptures)).low >= minShareLeft, rows };
}

function rowWithRatio(row: Row, ratio: Estimate): Row {
  return { ...row, ratio: { ...ratio, to: '0, measured right before' } };
}
