import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { startSender } from '../../testbed/datagrams.ts';
import { type Side, vethTestbed } from '../../testbed/veth-testbed.ts';
import { noTotals, type Totals } from '../storage/capture-records.ts';
import { recordingScene } from '../testing/recording-scene.ts';

type FilterCase = {
  readonly filter: string;
  /** The side that sends the datagrams. */
  readonly from: Side;
  readonly matching: number;
};

const toPort9 = 200;
const toPort10 = 2_000;
const sent = toPort9 + toPort10;

/** `tcpdump -d` checks them as if the kernel ran them; the kernel does not run the first one. */
const cases: readonly FilterCase[] = [
  { filter: 'ip protochain 17 and port 9', from: 'pod', matching: toPort9 },
  { filter: 'inbound', from: 'node', matching: sent },
  { filter: 'outbound', from: 'pod', matching: sent },
];

describe.each(cases)('the filter $filter', ({ filter, from, matching }) => {
  let observed: Awaited<ReturnType<typeof observe>>;
  beforeAll(async () => {
    observed = await observe(filter, from);
  });

  test('gets an answer, and the datagrams are sent', () => {
    expect(['capturing', 'refused']).toContain(observed.answer?.kind);
    expect(observed.passed).toBe(sent);
  });

  test.fails('is refused, or captures what it matches and reports no loss', () => {
    const right = ['refused', outcomeOf({ ...noTotals, captured: matching })];
    expect(right).toContain(observed.outcome);
  });
});

async function observe(filter: string, from: Side) {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports } = await scene.start(3, { filter });
  await until(() => reports.length > 0, { what: 'an answer' });
  const [answer] = reports;
  const to = from === 'pod' ? testbed.addresses.sink : testbed.addresses.pod;
  for (const [port, count] of [
    [9, toPort9],
    [10, toPort10],
  ] as const) {
    await using sending = await startSender((argv) => testbed.command(from, argv), {
      to,
      port,
      count,
      rate: 5_000,
    });
    await sending.ended;
  }
  const counters = await testbed.counters('pod');
  const passed = from === 'pod' ? counters.sentPackets : counters.receivedPackets;
  await recorder.stop('AgentStopped');
  const last = reports.at(-1);
  if (last?.kind !== 'stopped') throw new Error('not stopped');
  return { answer, passed, outcome: answer?.kind === 'refused' ? 'refused' : outcomeOf(last.totals) };
}

function outcomeOf({ captured, dropped, lostAtStop, missed }: Totals): string {
  return `captured ${captured}, dropped ${dropped}, lostAtStop ${lostAtStop}, missed ${missed}`;
}
