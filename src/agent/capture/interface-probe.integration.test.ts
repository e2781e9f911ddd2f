import { expect, test } from 'vitest';
import { compileTestProgram } from '../../testbed/compile.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { testSpawner } from '../testing/tcpdump-fixtures.ts';
import { probeInterface } from './interface-probe.ts';

test('asks the kernel about an interface of a Pod, as the user of tcpdump', async () => {
  await using testbed = await vethTestbed();
  await using spawner = await testSpawner();
  const index = Number(await testbed.exec('pod', ['cat', '/proc/self/net/dev_mcast']).then(indexOfEth0));
  const probe = (name: string) => probeInterface(spawner, testbed.netns, name);
  expect(await probe('eth0')).toEqual({ index, driver: 'veth', mergesReceived: false });
  await testbed.exec('pod', [await compileTestProgram('set-gro'), 'eth0', 'on']);
  expect(await probe('eth0')).toEqual({ index, driver: 'veth', mergesReceived: true });
  expect(await probe('eth9')).toBeUndefined();
  expect(await probe('lo')).toBeUndefined();
});

/** /proc/net/dev_mcast: the index comes before the name. */
function indexOfEth0(table: string): string | undefined {
  return /^(\d+)\s+eth0\s/m.exec(table)?.[1];
}
