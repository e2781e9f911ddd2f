import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { capturedNumbers } from '../../pcap/testing/captured-numbers.ts';
import { compilePreload, compileTestProgram } from '../../testbed/compile.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { type VethTestbed, vethTestbed } from '../../testbed/veth-testbed.ts';

// The witness (src/testbed/witness.c) records what passed the interface: it receives what tcpdump receives, at the same
// place in the kernel, without blocks. A receiver at the other end would know less: what is on its way when the
// interface is deleted is captured, but never received.

/** Where the kernel refuses membarrier, the library waits for the kernel's own timer. */
const kernels = [{ refuses: undefined }, { refuses: 'membarrier' }] as const;

test.each(kernels)(
  'has every datagram up to the last before the interface is deleted; refused: $refuses',
  async ({ refuses }) => {
    await using capture = await startCapture({ preload: await compilePreload(), refuses });
    const { testbed } = capture;
    await using witness = await testbed.watchDatagrams();
    await using sending = await testbed.startDatagrams({ rate: 5000 });
    await sentAtLeast(testbed, 2000);

    await testbed.deleteInterface();

    const end = await capture.ended;
    expect(end).toMatchObject({ code: 1, stderr: expect.stringContaining('The interface disappeared') });
    expect((await sending.ended).reason).toBe('ENETUNREACH');
    expect(await capturedNumbers(capture.file)).toEqual(await witness.ended);
    expect(end.statistics).toEqual(balanced(end.statistics));
  },
);

test('without the library tcpdump loses its last block', async () => {
  await using capture = await startCapture({ preload: '' });
  const { testbed } = capture;
  await using witness = await testbed.watchDatagrams();
  await using sending = await testbed.startDatagrams({ rate: 5000 });
  await sentAtLeast(testbed, 2000);

  await testbed.deleteInterface();

  await capture.ended;
  await sending.ended;
  const passed = await witness.ended;
  const captured = await capturedNumbers(capture.file);
  expect(captured.at(-1)).toBeLessThan(passed.at(-1) ?? 0);
});

test.each([
  { rate: 500, refuses: undefined },
  { rate: 5000, refuses: undefined },
  { rate: 50_000, refuses: undefined },
  { rate: 5000, refuses: 'membarrier' },
] as const)(
  'has every packet that it has counted when it is stopped under $rate packets/s; refused: $refuses',
  async ({ rate, refuses }) => {
    await using capture = await startCapture({ preload: await compilePreload(), refuses });
    await using sending = await capture.testbed.startDatagrams({ rate });
    await sentAtLeast(capture.testbed, 300);

    capture.kill('SIGTERM');

    const end = await capture.ended;
    await sending.stop();
    expect(end.code).toBe(0);
    expect(end.statistics).toEqual(balanced(end.statistics));
    expect(await capturedNumbers(capture.file)).toHaveLength(end.statistics.captured);
    expect(end.statistics.captured).toBeGreaterThan(0);
  },
);

test('counts nothing that arrives before its filter is set', async () => {
  await using testbed = await vethTestbed();
  // Two, so that one sends while the other's core starts tcpdump: the gap is 0.1 ms.
  await using sending = await testbed.startDatagrams({ rate: 100_000 });
  await using sendingToo = await testbed.startDatagrams({ rate: 100_000 });
  await sentAtLeast(testbed, 300);
  const preload = await compilePreload();
  for (let start = 0; start < 5; start += 1) {
    await using capture = await startCapture({ preload, testbed, filter: 'tcp' });
    capture.kill('SIGTERM');
    expect((await capture.ended).statistics).toEqual({ captured: 0, received: 0, dropped: 0 });
  }
  await Promise.all([sending.stop(), sendingToo.stop()]);
});

test('has no duplicate packet when it is stopped while it reads a full ring', { repeats: 9 }, async () => {
  // A ring of one block, so that the next block that it reads is the one that it has read.
  await using capture = await startCapture({ preload: await compilePreload(), bufferKib: 256 });
  const { testbed } = capture;
  // The kernel opens no block in a full ring, and opens the next one only for another packet.
  capture.kill('SIGSTOP');
  await testbed.sendDatagrams({ count: 20_000, rate: 0, bytes: 1_000 });
  capture.kill('SIGCONT');
  await setImmediate();
  capture.kill('SIGTERM');
  const { statistics } = await capture.ended;
  expect(statistics.dropped).toBeGreaterThan(0);
  expect(statistics).toEqual(balanced(statistics));
  const numbers = await capturedNumbers(capture.file);
  expect(statistics.captured).toBeGreaterThan(0);
  expect(numbers).toEqual(Array.from({ length: statistics.captured }, (_, number) => number));
});

test('ends when it is stopped on an idle interface', async () => {
  await using capture = await startCapture({ preload: await compilePreload() });
  capture.kill('SIGTERM');
  expect(await capture.ended).toMatchObject({
    code: 0,
    statistics: { captured: 0, received: 0, dropped: 0 },
  });
});

test('has every packet when it is stopped many times', async () => {
  await using capture = await startCapture({ preload: await compilePreload() });
  await using sending = await capture.testbed.startDatagrams({ rate: 5000 });
  await sentAtLeast(capture.testbed, 300);

  let signals = 0;
  for (; capture.kill('SIGTERM'); signals += 1) await setImmediate();

  const { statistics } = await capture.ended;
  await sending.stop();
  expect(signals).toBeGreaterThan(1);
  expect(statistics).toEqual(balanced(statistics));
});

test('captures from an interface that was set down when it is up again', async () => {
  await using capture = await startCapture({ preload: await compilePreload() });
  const { testbed } = capture;
  for (const firstNumber of [0, 10, 20]) {
    await testbed.sendDatagrams({ count: 10, firstNumber });
    await testbed.bounceInterface();
  }
  await testbed.sendDatagrams({ count: 10, firstNumber: 30 });
  capture.kill('SIGTERM');
  expect((await capture.ended).code).toBe(0);
  expect(await capturedNumbers(capture.file)).toEqual(Array.from({ length: 40 }, (_, i) => i));
});

test('does not query the timestamp types of the interface, which would take the RTNL lock', async () => {
  // Where the kernel refuses the question, libpcap starts no capture.
  await using capture = await startCapture({ preload: await compilePreload(), refuses: 'ethtool' });
  capture.kill('SIGTERM');
  expect((await capture.ended).code).toBe(0);
});

test('has every packet that it has counted when the death of its parent stops it', async () => {
  await using capture = await startCapture({
    preload: await compilePreload(),
    parent: ['sh', '-c', '"$@" & wait', 'sh'],
  });
  await using sending = await capture.testbed.startDatagrams({ rate: 5000 });
  await sentAtLeast(capture.testbed, 300);

  capture.kill('SIGKILL');

  const { statistics } = await capture.ended;
  await sending.stop();
  expect(statistics).toEqual(balanced(statistics));
});

type Statistics = { readonly captured: number; readonly received: number; readonly dropped: number };

type End = { readonly code: number | null; readonly stderr: string; readonly statistics: Statistics };

type TestCapture = AsyncDisposable & {
  readonly testbed: VethTestbed;
  readonly file: string;
  /** Returns false when tcpdump has ended. */
  readonly kill: (signal: NodeJS.Signals) => boolean;
  readonly ended: Promise<End>;
};

type TestCaptureOptions = {
  /** Path of the library, or an empty string. */
  readonly preload: string;
  readonly filter?: string;
  /** Its Pod network is captured; by default the capture makes its own testbed. */
  readonly testbed?: VethTestbed;
  /** What the kernel refuses tcpdump. */
  readonly refuses?: 'membarrier' | 'ethtool' | undefined;
  /** The kernel's receive ring. */
  readonly bufferKib?: number;
  /** A command that starts tcpdump as its child, and gets the signals instead of it. */
  readonly parent?: readonly string[];
};

/** Starts tcpdump as the agent does; returns when it is listening. */
async function startCapture({
  preload,
  filter = 'udp',
  testbed,
  refuses,
  bufferKib = 4_096,
  parent = [],
}: TestCaptureOptions): Promise<TestCapture> {
  await using starting = new AsyncDisposableStack();
  const network = testbed ?? starting.use(await vethTestbed());
  const folder = starting.use(await temporaryFolder());
  const file = join(folder.path, 'web.pcap');
  const unprivileged = '--reuid 10001 --regid 10001 --clear-groups --no-new-privs --pdeathsig TERM'.split(
    ' ',
  );
  const netRawAlone = ['inh-caps', 'ambient-caps', 'bounding-set'].map((set) => `--${set}=-all,+net_raw`);
  const options = ['-n', '-p', '-i', network.podInterface, '-U', '-B', `${bufferKib}`];
  const capturing = [...options, '-w', file, '--', filter];
  const refusal = refuses === undefined ? [] : [await compileTestProgram('refuse-syscall'), refuses];
  const tcpdump = [...refusal, 'env', `LD_PRELOAD=${preload}`, 'tcpdump', ...capturing];
  const command = network.command('pod', ['setpriv', ...unprivileged, ...netRawAlone, ...tcpdump]);
  const [program = '', ...args] = [...parent, ...command];
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // Not 'exit': a parent that is killed ends before tcpdump, which closes standard error when it ends.
  const ended = once(child, 'close').then(() => ({
    code: child.exitCode,
    stderr,
    statistics: parseStatistics(stderr),
  }));
  starting.defer(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  await until(() => stderr.includes('listening on'), { what: 'tcpdump listening' });

  const resources = starting.move();
  return {
    testbed: network,
    file,
    ended,
    kill: (signal) => child.kill(signal),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** The counts of tcpdump's last lines; NaN for what it did not print because it was killed. */
function parseStatistics(stderr: string): Statistics {
  const count = (what: string) => Number(new RegExp(`(\\d+) packets? ${what}`).exec(stderr)?.[1]);
  return {
    captured: count('captured'),
    received: count('received by filter'),
    dropped: count('dropped by kernel'),
  };
}

/** The statistics if nothing was lost at stop. */
function balanced({ captured, dropped }: Statistics): Statistics {
  return { captured, received: captured + dropped, dropped };
}

async function sentAtLeast(testbed: VethTestbed, packets: number): Promise<void> {
  await until(async () => (await testbed.counters('pod')).sentPackets >= packets, {
    what: `${packets} packets sent`,
  });
}
