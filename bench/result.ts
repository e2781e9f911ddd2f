import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Figure, Measurement, Row } from './figure.ts';
import type { Setting } from './setting.ts';

/** A file of bench/results: what the plots are drawn from. */
export type Result = Setting & {
  readonly figure: string;
  readonly unit: string;
  /** RFC 3339. */
  readonly date: string;
  readonly goal: string;
  readonly isReached: boolean;
  readonly rows: readonly Row[];
};

export function resultOf(
  { name, unit, goal }: Figure,
  { isReached, rows }: Measurement,
  setting: Setting,
): Result {
  return { figure: name, unit, date: new Date().toISOString(), goal, isReached, ...setting, rows };
}

const folder = join(import.meta.dirname, 'results');

/** Writes bench/results/<figure>.json in place of the one before. */
export async function writeResult(result: Result): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${result.figure}.json`), `${textOf(result)}\n`);
}

/** Indented, but a list of numbers on one line: a hundred runs are a hundred numbers. */
export function textOf(result: Result): string {
  return JSON.stringify(result, undefined, 2).replaceAll(/\[[\d\s.,-]+\]/g, (list) =>
    list.replaceAll(/\s+/g, ' ').replaceAll(/\[ | \]/g, (end) => end.trim()),
  );
}
