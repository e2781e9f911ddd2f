import { statfs } from 'node:fs/promises';

/**
 * Returns why captures cannot be written into that folder, for people. `error` is what a file operation threw, or the
 * name of an error as in errno(3).
 */
export async function writeErrorMessage(error: unknown, folder: string): Promise<string> {
  const code = codeOf(error);
  const problem = code === 'ENOSPC' && (await hasNoInodes(folder)) ? noInodes : code && problems.get(code);
  if (problem !== undefined) return `captures cannot be written: ${problem} (${code})`;
  return error instanceof Error ? error.message : `captures cannot be written: ${String(error)}`;
}

const problems: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', 'the disk is full'],
  ['EDQUOT', 'the disk quota is exceeded'],
  ['EROFS', 'the file system is read-only'],
  ['EIO', 'the disk has an I/O error'],
  ['ENOENT', 'their folder does not exist'],
]);
const noInodes = 'the file system has no inodes left';

function codeOf(error: unknown): string | undefined {
  if (typeof error === 'string') return error;
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** A file system without free inodes also fails with ENOSPC. One that makes inodes on demand reports 0 in total. */
async function hasNoInodes(folder: string): Promise<boolean> {
  const { files, ffree } = await statfs(folder).catch(() => ({ files: 0, ffree: 0 }));
  return files > 0 && ffree === 0;
}
