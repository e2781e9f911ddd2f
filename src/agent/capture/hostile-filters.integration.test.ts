import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { captureAnnotation, requestOf } from '../planner/annotations.ts';
import { type Fate, hostileFilters } from '../testing/hostile-filters.ts';
import { plainCapture, testSpawner } from '../testing/tcpdump-fixtures.ts';
import { checkFilter } from './filter-check.ts';
import { startTcpdump } from './tcpdump.ts';

const userId = 10_001;
const limits = { maxFiles: 100, maxFileMegabytes: 100 };

test('no hostile filter acts as an option, a path or a shell command, not even in a tcpdump that never checked it', {
  timeout: 300_000,
}, async () => {
  await using testbed = await vethTestbed();
  await using trap = await temporaryFolder();
  await using captures = await temporaryFolder();
  await using spawner = await testSpawner();
  const filters = hostileFilters(join(trap.path, 'evil'));
  expect(filters.length).toBeGreaterThan(60);

  const startWith = (filter: string) =>
    startTcpdump({
      ...plainCapture,
      spawner,
      netns: testbed.netns,
      file: join(captures.path, 'capture.pcap'),
      filter,
    });

  expect(await fatesOf(filters)).toEqual(filters);
  const requested = filters.filter(([fate]) => fate !== 'refused');
  const ran: [Fate, string][] = [];
  const commands: string[][] = [];
  for (const [, filter] of requested) {
    const tcpdump = startWith(filter);
    const { kind } = await tcpdump.started;
    ran.push([kind === 'listening' ? 'accepted' : 'rejected', filter]);
    const pids = await testbed.processes();
    if (kind === 'listening') commands.push(await commandOf(pids));
    await tcpdump.stop('kill');
  }
  expect(ran).toEqual(requested);
  const accepted = requested.filter(([fate]) => fate === 'accepted');
  expect(commands.map((command) => command.slice(-3))).toEqual(
    accepted.map(([, filter]) => ['--', filter, '']),
  );
  expect(await readdir(trap.path)).toEqual([]);
  // The accepted filters have written only the file that the agent named.
  expect(await readdir(captures.path)).toEqual(['capture.pcap000000000']);
  expect(await testbed.processes()).toEqual([]);
});

async function fatesOf(filters: readonly (readonly [Fate, string])[]): Promise<[Fate, string][]> {
  const fates: [Fate, string][] = [];
  for (const [, filter] of filters) fates.push([await fateOf(filter), filter]);
  return fates;
}

async function fateOf(filter: string): Promise<Fate> {
  const annotations = { [captureAnnotation]: '5', 'podcap.dev/filter': filter };
  const request = requestOf({ annotations, hostNetwork: false }, limits);
  if (request.kind === 'refused') return 'refused';
  const check = await checkFilter(filter, { userId });
  if (check.kind === 'failed') throw new Error(`the check of ${filter} failed: ${check.problem}`);
  return check.kind;
}

/** The command line of the only process. */
async function commandOf([pid, ...others]: readonly number[]): Promise<string[]> {
  if (pid === undefined || others.length > 0) throw new Error(`processes: ${pid} ${others.join(' ')}`);
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
}
