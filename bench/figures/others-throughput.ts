import { setTimeout as sleep } from 'node:timers/promises';
import { type Arena, openArena } from '../contenders/arena.ts';
import { type Protocol, throughput } from '../contenders/bench-traffic.ts';
import type { Contender } from '../contenders/contender.ts';
import type { Figure, Measurement, Measuring, Row } from '../figure.ts';
import { type Estimate, estimate, summary } from '../support/statistics.ts';

/** What two Pods that nobody captures get through between them, while so many others are captured. */
export const othersThroughput = figureOf('udp', 'others-throughput', 'packets/s');
export const othersThroughputTcp = figureOf('tcp', 'others-throughput-tcp', 'bit/s');

function figureOf(protocol: Protocol, name: string, unit: string): Figure {
  return {
    name,
    unit,
    goal: '100 captures of others leave >= 95 %',
    runs: 10,
    needs: 'network',
    measure: (measuring) => measure(protocol, measuring),
  };
}

const captures = [1, 10, 30, 100];
const most = Math.max(...captures);
const kept = 0.95;
/** While the goal is neither reached nor missed for certain, what it is held against is measured on, so many times. */
const mostRounds = 6;
const windowMs = 2_500;
/** Then the Events are written of the captures that have ended. */
const restMs = 6_000;

/** One pair of measurements, a moment apart: nothing captured, then so many. */
type Pair = {
  readonly variant: string;
  readonly captures: number;
  readonly without: number;
  readonly with: number;
};

async function measure(protocol: Protocol, { runs, say }: Measuring): Promise<Measurement> {
  await using arena = await openArena(most + 2, ['podcap', 'host-tcpdump']);
  const pairs: Pair[] = [];
  const told = (round: number) => say(`round ${round} of ${runs}: ${most} captures leave ${shares(pairs)}`);
  for (let round = 1; round <= runs; round += 1) {
    for (const count of captures)
      for (const contender of arena.contenders)
        pairs.push(await measurePair(protocol, arena, contender, count));
    told(round);
  }
  for (let round = runs + 1; round <= mostRounds * runs && !isDecided(pairs); round += 1) {
    // Before, the other way's turn was the rest.
    await sleep(restMs);
    pairs.push(await measurePair(protocol, arena, arena.contender('podcap'), most));
    told(round);
  }
  return measurementOf(pairs, arena);
}

/** The two that talk come first, those that are captured after them; these are silent. */
async function measurePair(
  protocol: Protocol,
  arena: Arena,
  contender: Contender,
  count: number,
): Promise<Pair> {
  const route = { from: arena.pod(0), to: arena.pod(1) };
  const without = await throughput(protocol, route, windowMs);
  const running = await contender.start(arena.testbed.pods.slice(2, 2 + count));
  const during = await throughput(protocol, route, windowMs);
  await running.stop();
  return { variant: contender.variant, captures: count, without, with: during };
}

function ratiosOf(pairs: readonly Pair[], variant: string, count: number): number[] {
  return pairs
    .filter((pair) => pair.variant === variant && pair.captures === count)
    .map((pair) => pair.with / pair.without);
}

/** Whether it is known that the goal is reached, or that it is not. */
function isDecided(pairs: readonly Pair[]): boolean {
  const { low, high } = estimate(ratiosOf(pairs, 'podcap', most));
  return low >= kept || high < kept;
}

function shares(pairs: readonly Pair[]): string {
  return [...new Set(pairs.map(({ variant }) => variant))]
    .map((variant) => {
      const { median } = summary(ratiosOf(pairs, variant, most));
      return `${Math.round(100 * median)} % (${variant})`;
    })
    .join(', ');
}

function measurementOf(pairs: readonly Pair[], { contenders }: Arena): Measurement {
  const rows = contenders.flatMap(({ variant }) => {
    const mine = pairs.filter((pair) => pair.variant === variant);
    return [
      rowOf(
        variant,
        0,
        mine.map((pair) => pair.without),
      ),
      ...captures.map((count) =>
        rowOf(
          variant,
          count,
          mine.filter((pair) => pair.captures === count).map((pair) => pair.with),
          estimate(ratiosOf(pairs, variant, count)),
        ),
      ),
    ];
  });
  return { isReached: estimate(ratiosOf(pairs, 'podcap', most)).low >= kept, rows };
}

function rowOf(variant: string, count: number, values: readonly number[], ratio?: Estimate): Row {
  return {
    variant,
    parameter: String(count),
    ...summary(values),
    values,
    ...(ratio && { ratio: { ...ratio, to: '0, measured right before' } }),
  };
}
