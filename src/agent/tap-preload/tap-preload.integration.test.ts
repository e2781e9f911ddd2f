import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compileTapPreload } from '../../testbed/compile.ts';
import { run } from '../../testbed/run-program.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { startTapTcpdump } from '../serving/taps/tap-tcpdump.ts';
import { testSpawner } from '../testing/tcpdump-fixtures.ts';

test('the table in its head comment has each function that the library exports, and no other', async () => {
  const source = await readFile(join(import.meta.dirname, 'tap-preload.c'), 'utf8');
  const table = [...source.slice(0, source.indexOf('*/')).matchAll(/^ \* {3}(\w+) {2,}(?!why)[a-z]/gm)];
  const symbols = await run([
    'nm',
    '--dynamic',
    '--defined-only',
    '--format=posix',
    await compileTapPreload(),
  ]);
  const exported = [...symbols.matchAll(/^\S+/gm)].map(([name]) => name);
  expect(exported.length).toBeGreaterThan(0);
  expect(new Set(table.map(([, name]) => name))).toEqual(new Set(exported));
});

test('libpcap asks for blocks that the kernel hands over after 10 ms', async () => {
  await using testbed = await vethTestbed();
  await using spawner = await testSpawner();
  await using tap = startTapTcpdump({
    spawner,
    netns: testbed.netns,
    interface: 'eth0',
    filter: undefined,
    snaplen: undefined,
    ringKib: 8_192,
  });
  await tap.started;
  // The kernel's own words: ss(8).
  const rings = await testbed.exec('pod', ['ss', '--packet', '--extended', '--no-header']);
  expect(rings).toContain('ring_rx(blk_size:262144,blk_nr:32,frm_size:262144,frm_nr:32,tmo:10,');
});
