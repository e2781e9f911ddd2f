import { setTimeout as sleep } from 'node:timers/promises';
import { addTotals, noTotals, readRecords } from '../../src/agent/storage/capture-records.ts';
import { type BridgeTestbed, bridgeTestbed, type TestbedPod } from '../../src/testbed/bridge-testbed.ts';
import { withDescendants } from '../../src/testbed/descendants.ts';
import { type AgentHost, agentHost, type BenchAgent, uidOf } from '../contenders/bench-agent.ts';
import { interfacePacketsDuring, type Load, loads } from '../contenders/bench-traffic.ts';
import { annotations } from '../contenders/podcap-contender.ts';
import type { Figure, Measurement, MeasureOptions, Row } from '../figure.ts';
import { receiveRingMib } from '../support/receive-ring-memory.ts';
import { rowOf } from '../support/row.ts';

/** What the receive rings take while nothing happens, and what is lost while they grow. */
export const ringMemory: Figure = {
  name: 'ring-memory',
  unit: 'MiB of receive rings, or % of packets lost',
  goal: '100 silent captures: <= 180 MiB, <= 110 after 6 minutes; TCP for 30 s: <= 1 % lost, <= 0.1 % after the first second (medians); 1 and 2 Gb/s: 0',
  runs: 3,
  needs: 'network',
  measure,
};

const silentCaptures = 100;
const silentMs = 6 * 60_000;
const maxMibAtOnce = 180;
const maxMibLater = 110;
/** Fewer than 25: each starts with a ring of 4 MiB. */
const captures = 24;
const rateMs = 5_000;
const rateLoads = [loads.oneGigabit, loads.twoGigabits];
const firstMs = 1_000;
const restMs = 29_000;
const maxPercentInAll = 1;
const maxPercentAfterFirst = 0.1;
/** The agent counts every 15 s, 3 s after it has read the interface. */
const countedMs = 20_000;
/** A slower load proves nothing: the interface must count this share of the load's rate. */
const minShareOfRate = 0.9;

type RingNode = {
  readonly testbed: BridgeTestbed;
  readonly host: AgentHost;
  readonly agent: BenchAgent;
};

async function measure({ runs, report }: MeasureOptions): Promise<Measurement> {
  await using testbed = await bridgeTestbed(silentCaptures);
  await using host = await agentHost(testbed);
  await using agent = await host.startAgent();
  await agent.ready();
  const node = { testbed, host, agent };
  const rounds: Round[] = [];
  while (rounds.length < runs) {
    const tcp = await measureTcp(node);
    report(`${tcp.first.lost} and ${tcp.rest.lost} of ${tcp.first.packets + tcp.rest.packets} packets lost`);
    const rates: LoadRun[] = [];
    for (const load of rateLoads) rates.push(await measureRate(node, load));
    report(rates.map(({ lost, packets }) => `${lost} of ${packets}`).join(', '));
    const memory = await measureSilent(node);
    report(`${memory.atOnceMib} MiB, later ${memory.laterMib}`);
    rounds.push({ tcp, rates, memory });
  }
  return measurementOf(rounds);
}

type Round = {
  readonly tcp: TcpRun;
  /** In the order of `rateLoads`. */
  readonly rates: readonly LoadRun[];
  readonly memory: { readonly atOnceMib: number; readonly laterMib: number };
};

/** In packets of the Pod's interface. A packet that one of two captures lost during a handover counts as lost. */
type LoadRun = { readonly packets: number; readonly lost: number };

type TcpRun = { readonly first: LoadRun; readonly rest: LoadRun };

/** The stream pauses after its first second, until what that lost is counted. */
async function measureTcp(node: RingNode): Promise<TcpRun> {
  return await whileCaptured(node, captures, async (pod) => ({
    first: await lossDuring(node, pod, () => send(node, pod, loads.stream, firstMs)),
    rest: await lossDuring(node, pod, () => send(node, pod, loads.stream, restMs)),
  }));
}

/** Each load starts at its full rate, with new captures. */
async function measureRate(node: RingNode, load: Load): Promise<LoadRun> {
  return await whileCaptured(node, captures, (pod) =>
    lossDuring(node, pod, () => send(node, pod, load, rateMs)),
  );
}

async function measureSilent(node: RingNode): Promise<Round['memory']> {
  return await whileCaptured(node, silentCaptures, async () => {
    const atOnceMib = await ringMib(node.agent);
    await sleep(silentMs);
    return { atOnceMib, laterMib: await ringMib(node.agent) };
  });
}

async function ringMib({ pid }: BenchAgent): Promise<number> {
  return await receiveRingMib(await withDescendants(pid));
}

/** Captures that many Pods, from nothing; the work gets the one that was captured first. */
async function whileCaptured<T>(
  { testbed, host, agent }: RingNode,
  count: number,
  work: (pod: TestbedPod) => Promise<T>,
): Promise<T> {
  const pods = testbed.pods.slice(0, count);
  const [pod] = pods;
  if (!pod) throw new Error('no Pod to capture');
  const logged = async (message: 'capture started' | 'captures deleted', fromMs: number) => {
    await Promise.all(pods.map((each) => agent.log.line({ message, uid: uidOf(each), fromMs })));
  };
  const startMs = Date.now();
  host.annotate(pods, annotations());
  await logged('capture started', startMs);
  const result = await work(pod);
  const endMs = Date.now();
  host.annotate(pods, {});
  await logged('captures deleted', endMs);
  return result;
}

/** To a Pod that is not captured: a packet crosses one captured interface, as in the figure `loss`. */
async function send({ testbed }: RingNode, from: TestbedPod, load: Load, durationMs: number): Promise<void> {
  const to = testbed.pods[captures];
  if (!to) throw new Error('no Pod to send to');
  await load.send({ from, to, sink: testbed.sink }, durationMs);
}

async function lossDuring({ host }: RingNode, pod: TestbedPod, work: () => Promise<void>): Promise<LoadRun> {
  const folder = host.folderOf(pod);
  const before = await lostPackets(folder);
  const packets = await interfacePacketsDuring(pod, work);
  await sleep(countedMs);
  return { packets, lost: (await lostPackets(folder)) - before };
}

async function lostPackets(folder: string): Promise<number> {
  const records = await readRecords(folder);
  const { dropped, lostAtStop, missed } = records.reduce(
    (sum, { totals }) => addTotals(sum, totals),
    noTotals,
  );
  return dropped + lostAtStop + missed;
}

function measurementOf(rounds: readonly Round[]): Measurement {
  const memory = (parameter: string, mibOf: (round: Round['memory']) => number) =>
    rowOf(
      'podcap',
      parameter,
      rounds.map((round) => mibOf(round.memory)),
    );
  const atOnce = memory(`MiB of ${silentCaptures} silent captures`, ({ atOnceMib }) => atOnceMib);
  const later = memory('MiB of them after 6 minutes', ({ laterMib }) => laterMib);
  const first = lossRow(
    '% of TCP at full speed, first second',
    rounds.map(({ tcp }) => tcp.first),
  );
  const rest = lossRow(
    '% of TCP at full speed, after it',
    rounds.map(({ tcp }) => tcp.rest),
  );
  const inAll = lossRow(
    '% of TCP at full speed, 30 s in all',
    rounds.map(({ tcp }) => ({
      packets: tcp.first.packets + tcp.rest.packets,
      lost: tcp.first.lost + tcp.rest.lost,
    })),
  );
  const rates = rateLoads.map((load, index) =>
    lossRow(
      `% of ${load.name}`,
      rounds.flatMap((round) => round.rates[index] ?? []),
      load.rate,
    ),
  );
  return {
    isReached:
      atOnce.max <= maxMibAtOnce &&
      later.max <= maxMibLater &&
      inAll.median <= maxPercentInAll &&
      rest.median <= maxPercentAfterFirst &&
      rates.every(({ max, details }) => max === 0 && details.isRateReached),
    rows: [atOnce, later, inAll, first, rest, ...rates],
  };
}

type LossRow = Omit<Row, 'details'> & {
  readonly details: {
    readonly isRateReached: boolean;
    readonly packets: readonly number[];
    readonly lost: readonly number[];
  };
};

function lossRow(parameter: string, runs: readonly LoadRun[], rate?: number): LossRow {
  const isRateReached = runs.every(
    ({ packets }) => rate === undefined || packets >= minShareOfRate * rate * (rateMs / 1_000),
  );
  return {
    ...rowOf(
      'podcap',
      parameter,
      runs.map(({ packets, lost }) => (100 * lost) / packets),
    ),
    ...(isRateReached ? {} : { remark: 'the load stayed below its rate' }),
    details: {
      isRateReached,
      packets: runs.map(({ packets }) => packets),
      lost: runs.map(({ lost }) => lost),
    },
  };
}
