import { megabytes } from '../../commands/progress.ts';

/** The size of a file for people, who want to see that there is something in it. */
export function savedSize(bytes: number): string {
  if (bytes < 1_000) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
  return bytes < 999_500 ? `${Math.round(bytes / 1_000)} kB` : megabytes(bytes);
}
