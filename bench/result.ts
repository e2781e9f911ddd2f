import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { must } from '../tools/run.ts';
import { checkout } from '../tools/target.ts';
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

/** Writes bench/results/<figure>.json in place of the one before, in the form that the checks ask of every file. */
export async function writeResult(result: Result): Promise<void> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${result.figure}.json`);
  await writeFile(path, JSON.stringify(result, undefined, 2));
  await must(`${checkout}/node_modules/.bin/biome`, ['format', '--write', '--log-level=error', path]);
}
