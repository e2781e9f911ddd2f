import { join } from 'node:path';
import { type Argv, run } from '../../src/testbed/run-program.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';

/** Runs a merge into a file; throws unless capinfos finds that many packets in it, in the order of their times. */
export async function checkMerged(argvTo: (path: string) => Argv, packets: number): Promise<void> {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'merged');
  await run(argvTo(path));
  const table = await run(['capinfos', '-T', '-r', '-M', '-c', '-o', path]);
  const [, count = '', order = ''] = table.trim().split('\t');
  if (Number(count) !== packets || order !== 'True')
    throw new Error(
      `the merged file has ${count} packets of ${packets}; in the order of their times: ${order}`,
    );
}
