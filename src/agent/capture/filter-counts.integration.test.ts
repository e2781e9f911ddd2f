import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { startSender } from '../../testbed/datagrams.ts';
import { type LinkEnd, type VethTestbed, vethTestbed } from '../../testbed/veth-testbed.ts';
import { noTotals, type Totals } from '../storage/capture-records.ts';
import { specOf } from '../testing/fixtures.ts';
import { recordingScene } from '../testing/recording-scene.ts';

type FilterCase = {
  readonly filter: string;
  /** The side that sends the datagrams. */
  readonly from: LinkEnd;
  readonly matching: number;
};

const toPort9 = 200;
const toPort10 = 2_000;
const sent = toPort9 + toPort10;

/** The kernel runs them; libpcap, which would run them on the first packets, lacks what they read. */
const onlyInKernel: readonly FilterCase[] = [
  { filter: 'inbound', from: 'node', matching: sent },
  { filter: 'inbound', from: 'pod', matching: 0 },
  { filter: 'outbound', from: 'pod', matching: sent },
  { filter: 'outbound and port 9', from: 'pod', matching: toPort9 },
  // The index of lo.
  { filter: 'not ifindex 1', from: 'pod', matching: sent },
  { filter: 'ifindex 1', from: 'pod', matching: 0 },
];

describe.each(onlyInKernel)('the filter $filter, sent from the $from', ({ filter, from, matching }) => {
  let observed: Awaited<ReturnType<typeof observe>>;
  beforeAll(async () => {
    observed = await observe(filter, from);
  });

  test('the datagrams are sent', () => {
    expect(observed.passed).toBe(sent);
  });

  test('captures what it matches, and reports no loss', () => {
    expect(observed.outcome).toEqual(outcomeOf({ ...noTotals, captured: matching }));
  });
});

const refused: readonly (readonly [name: string, filter: string, problem: string])[] = [
  ['ip protochain 17 and port 9', 'ip protochain 17 and port 9', 'it has a loop, as protochain does'],
  ['ip6 protochain 6', 'ip6 protochain 6', 'it has a loop, as protochain does'],
  ['too many instructions', longFilter(), 'it compiles to 4391 instructions, and at most 4096 are allowed'],
];

describe.each(refused)('a filter that the kernel refuses: %s', (_name, filter, problem) => {
  test('is refused once, and the capture before it ends', async () => {
    await using testbed = await vethTestbed();
    await using scene = await recordingScene(testbed);
    const { recorder, reports } = await scene.record(3, { filter: 'udp' });
    recorder.change(specOf(3, { filter }));
    await until(() => reports.some(({ kind }) => kind === 'refused'), { what: 'a refusal' });
    expect(await scene.tcpdumps()).toEqual([]);
    recorder.change(specOf(3, { filter: 'ip' }));
    await until(() => reports.length > 3, { what: 'the next capture' });
    await recorder.stop('AgentStopped');
    expect(reports).toMatchObject([
      { kind: 'capturing', spec: { filter: 'udp' } },
      { kind: 'stopped', why: 'Refused' },
      { kind: 'refused', refusal: { reason: 'InvalidFilter', message: expect.stringContaining(problem) } },
      { kind: 'capturing', spec: { filter: 'ip' } },
      { kind: 'stopped' },
    ]);
  });
});

test('a filter for which the Node allows no memory is refused with the setting', async () => {
  await using testbed = await vethTestbed();
  if (!(await canLimitMemory(testbed))) return;
  await using scene = await recordingScene(testbed);
  const filter = Array.from({ length: 100 }, (_, port) => `port ${port}`).join(' or ');
  const { recorder, reports } = await scene.record(3, { filter }, 'refused');
  await recorder.stop('AgentStopped');
  const message = expect.stringContaining('net.core.optmem_max');
  expect(reports).toMatchObject([{ kind: 'refused', refusal: { reason: 'InvalidFilter', message } }]);
});

/** A filter with VLAN tags is compiled for a tag in the packet and for one next to it. */
function longFilter(): string {
  return `vlan and (${Array.from({ length: 169 }, (_, index) => `net ::${(index + 1).toString(16)}`).join('||')})`;
}

/** Limits the memory for filters in the Pod's network namespace: before Linux 6.7, there is one limit for all. */
async function canLimitMemory(testbed: VethTestbed): Promise<boolean> {
  const name = 'net.core.optmem_max';
  return await testbed.exec('pod', ['sysctl', '-qw', `${name}=2000`]).then(
    () => true,
    () => false,
  );
}

async function observe(filter: string, from: LinkEnd) {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports } = await scene.record(3, { filter });
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
  return { passed, outcome: outcomeOf(last.totals) };
}

function outcomeOf({ captured, dropped, lostAtStop, missed }: Totals): string {
  return `captured ${captured}, dropped ${dropped}, lostAtStop ${lostAtStop}, missed ${missed}`;
}
