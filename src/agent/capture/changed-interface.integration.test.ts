import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { specOf } from '../testing/fixtures.ts';
import { recordingScene } from '../testing/recording-scene.ts';

test('an interface that changes back and forth never has a third tcpdump, and the last one is captured', async () => {
  await using testbed = await vethTestbed();
  await testbed.exec('pod', ['ip', 'link', 'add', 'net1', 'type', 'veth', 'peer', 'name', 'net2']);
  await using scene = await recordingScene(testbed);
  const { recorder } = await scene.record(3);
  let most = 0;
  const captured = async () => {
    const pids = await scene.tcpdumps();
    most = Math.max(most, pids.length);
    return await Promise.all(pids.map(interfaceOf));
  };
  for (const name of Array.from({ length: 10 }, () => ['lo', 'net1', 'eth0', 'net2', 'lo']).flat()) {
    recorder.change(specOf(3, { interfaces: [name] }));
    await captured();
  }
  recorder.change(specOf(3));
  await until(async () => (await captured()).join() === 'eth0', { what: 'one tcpdump of eth0' });
  expect(most).toBeLessThanOrEqual(2);
  await recorder.stop('AgentStopped');
});

/** What that tcpdump was started with; undefined if it is gone. */
async function interfaceOf(pid: number): Promise<string | undefined> {
  const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  return argv[argv.indexOf('-i') + 1];
}
