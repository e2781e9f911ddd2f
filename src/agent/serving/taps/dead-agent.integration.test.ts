import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { until } from '../../../base/until.ts';
import { compileNative } from '../../../testbed/compile.ts';
import { vethTestbed } from '../../../testbed/veth-testbed.ts';
import { tcpdumpsOf } from './testing/tap-scene.ts';

test.each([
  ['while nothing passes', { rate: 0, stopped: 'none' }],
  ['under traffic', { rate: 5_000, stopped: 'none' }],
  ['that reads nothing any more', { rate: 5_000, stopped: 'agent' }],
  ['whose tcpdump is stopped', { rate: 0, stopped: 'tcpdump' }],
])('an agent that is killed leaves no tcpdump of a tap: %s', async (_what, { rate, stopped }) => {
  await compileNative();
  await using testbed = await vethTestbed();
  const agent = spawn(process.execPath, ['--input-type=module', '-e', agentProgram(testbed.netns)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(agent.stdout, 'data');
  const [tcpdump] = await tcpdumpsOf(testbed);
  expect(tcpdump).toBeDefined();
  await using _sending = rate === 0 ? undefined : await testbed.startDatagrams({ rate, bytes: 1_000 });
  if (stopped === 'agent') {
    agent.kill('SIGSTOP');
    const full = await testbed.counters('pod');
    await until(async () => (await testbed.counters('pod')).sentPackets > full.sentPackets + 5_000, {
      what: 'more packets than the pipe takes',
    });
  }
  if (stopped === 'tcpdump') process.kill(tcpdump ?? 0, 'SIGSTOP');
  agent.kill('SIGKILL');
  await until(async () => (await tcpdumpsOf(testbed)).length === 0, {
    what: 'the end of tcpdump',
    deadlineMs: 2_000,
  });
});

function agentProgram(netns: string): string {
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  return `
    import { testSpawner } from ${url('../../testing/tcpdump-fixtures.ts')};
    import { startTapTcpdump } from ${url('./tap-tcpdump.ts')};
    const tap = startTapTcpdump({
      spawner: await testSpawner(),
      netns: '${netns}',
      interface: 'eth0',
      filter: undefined,
      snaplen: undefined,
      ringKib: 8192,
    });
    (await tap.stream).resume();
    process.stdout.write(String(await tap.started));
  `;
}
