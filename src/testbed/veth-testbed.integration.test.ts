import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startChild } from './child-program.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { vethTestbed } from './veth-testbed.ts';

test('transmits the datagrams that a test sends, and nothing else', async () => {
  await using testbed = await vethTestbed();
  await using witness = await testbed.watchDatagrams();
  expect(await testbed.sendDatagrams({ count: 500, rate: 10_000, firstNumber: 7 })).toBe(500);
  expect(await witness.stop()).toEqual(Array.from({ length: 500 }, (_, i) => i + 7));
  expect(await testbed.counters('pod')).toEqual({ sentPackets: 500, sentDropped: 0, receivedPackets: 0 });
  expect(await testbed.counters('node')).toEqual({ sentPackets: 0, sentDropped: 0, receivedPackets: 500 });
});

test('ends a sender and a witness when the interface is deleted', async () => {
  await using testbed = await vethTestbed();
  await using witness = await testbed.watchDatagrams();
  await using sending = await testbed.startDatagrams({ rate: 0 });
  await testbed.deleteInterface();
  expect((await sending.ended).reason).toBe('ENETUNREACH');
  await witness.ended;
});

test('leaves neither a network namespace nor a mount behind', async () => {
  const testbed = await vethTestbed();
  const mounts = () => readFile('/proc/self/mounts', 'utf8');
  expect(await mounts()).toContain(testbed.netns);
  await testbed[Symbol.asyncDispose]();
  expect(await mounts()).not.toContain(testbed.netns);
  await expect(stat(testbed.netns)).rejects.toThrow('ENOENT');
});

test('removes what a killed test run left behind', async () => {
  const script = `const { vethTestbed } = await import(${JSON.stringify(join(import.meta.dirname, 'veth-testbed.ts'))});
    const { temporaryFolder } = await import(${JSON.stringify(join(import.meta.dirname, 'temporary-folder.ts'))});
    console.log((await vethTestbed()).netns, (await temporaryFolder()).path);
    setInterval(() => {}, 1000);`;
  const killed = startChild([process.execPath, '--input-type=module', '-e', script], () => {});
  const [netns = '', path = ''] = (await killed.ready).trim().split(' ');
  await Promise.all([stat(netns), stat(path)]);
  await killed[Symbol.asyncDispose]();

  await using testbed = await vethTestbed();
  await using folder = await temporaryFolder();
  await Promise.all([stat(testbed.netns), stat(folder.path)]);
  await expect(stat(netns)).rejects.toThrow('ENOENT');
  await expect(stat(path)).rejects.toThrow('ENOENT');
});

test("creates a folder to which tcpdump's group can write", async () => {
  let path: string;
  {
    await using folder = await temporaryFolder();
    ({ path } = folder);
    expect(await stat(path)).toMatchObject({ uid: 0, gid: 10001, mode: 0o40770 });
  }
  await expect(stat(path)).rejects.toThrow('ENOENT');
});
