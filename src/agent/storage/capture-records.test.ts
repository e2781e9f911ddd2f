import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { readRecords } from './capture-records.ts';
import { recordName } from './file-names.ts';

test('has few records open at a time, however many there are', async () => {
  await using folder = await temporaryFolder();
  for (let generation = 1; generation <= 1_000; generation += 1)
    await writeFile(join(folder.path, recordName(generation)), '{}');
  const before = openDescriptors();
  const reading = readRecords(folder.path);
  const isRead = reading.then(() => true);
  let most = 0;
  while (!(await Promise.race([isRead, setImmediate(false)]))) most = Math.max(most, openDescriptors());
  expect(await reading).toEqual([]);
  expect(most - before).toBeLessThan(100);
});

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
