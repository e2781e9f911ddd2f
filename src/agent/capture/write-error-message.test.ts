import { expect, test } from 'vitest';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { writeErrorMessage } from './write-error-message.ts';

test.each([
  ['ENOSPC', 'captures cannot be written: the disk is full (ENOSPC)'],
  ['EROFS', 'captures cannot be written: the file system is read-only (EROFS)'],
  ['EIO', 'captures cannot be written: the disk has an I/O error (EIO)'],
  ['ENOENT', 'captures cannot be written: their folder does not exist (ENOENT)'],
  ['EDQUOT', 'captures cannot be written: the disk quota is exceeded (EDQUOT)'],
  ['EFBIG', 'captures cannot be written: EFBIG'],
])('%s is explained in words', async (code, words) => {
  await using folder = await temporaryFolder();
  expect(await writeErrorMessage(code, folder.path)).toBe(words);
});

test('an error of Node.js gets the same words, and any other error keeps its message', async () => {
  await using folder = await temporaryFolder();
  const full = Object.assign(new Error('ENOSPC: no space left on device, open'), { code: 'ENOSPC' });
  expect(await writeErrorMessage(full, folder.path)).toBe(await writeErrorMessage('ENOSPC', folder.path));
  expect(await writeErrorMessage(new Error('the filter could not be checked'), folder.path)).toBe(
    'the filter could not be checked',
  );
});
