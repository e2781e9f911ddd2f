import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as v from 'valibot';
import { must } from '../../tools/shell.ts';
import { checkout } from '../../tools/target.ts';
import type { Figure, Measurement } from '../figure.ts';
import type { BenchEnvironment } from './bench-environment.ts';

const number = v.pipe(v.number(), v.finite());
const word = v.pipe(v.string(), v.minLength(1));

const rowSchema = v.strictObject({
  variant: word,
  parameter: word,
  median: number,
  min: number,
  max: number,
  runs: v.pipe(v.number(), v.integer(), v.minValue(1)),
  p90: v.optional(number),
  p99: v.optional(number),
  ratio: v.optional(
    v.strictObject({ median: number, low: number, high: number, confidence: number, to: word }),
  ),
  values: v.array(number),
  remark: v.optional(v.string()),
  details: v.optional(v.looseObject({})),
});

/** A file of bench/results, from which the plots are drawn. */
export const resultSchema = v.strictObject({
  figure: word,
  unit: word,
  /** RFC 3339. */
  date: v.pipe(v.string(), v.isoTimestamp()),
  goal: word,
  isReached: v.boolean(),
  machine: v.strictObject({ cpu: word, cores: number, memoryGib: number, kernel: word, load: number }),
  versions: v.record(v.string(), v.string()),
  rows: v.pipe(v.array(rowSchema), v.minLength(1)),
});

export type Result = v.InferOutput<typeof resultSchema>;

/** The measurement as a result of this moment; throws when it does not fit the schema. */
export function resultOf(
  { name, unit, goal }: Figure,
  { isReached, rows }: Measurement,
  environment: BenchEnvironment,
): Result {
  const date = new Date().toISOString();
  return v.parse(resultSchema, { figure: name, unit, date, goal, isReached, ...environment, rows });
}

const folder = join(import.meta.dirname, '../results');

/** Replaces bench/results/<figure>.json, formatted as the checks require. */
export async function writeResult(result: Result): Promise<void> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${result.figure}.json`);
  await writeFile(path, JSON.stringify(result, undefined, 2));
  await must(`${checkout}/node_modules/.bin/biome`, ['format', '--write', '--log-level=error', path]);
}

/** Reads bench/results; throws when a file does not fit the schema or is named after another figure. */
export async function readResults(): Promise<Result[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.json')).toSorted();
  return await Promise.all(files.map(readResult));
}

async function readResult(file: string): Promise<Result> {
  const parsed = v.safeParse(resultSchema, JSON.parse(await readFile(join(folder, file), 'utf8')));
  if (!parsed.success) throw new Error(`${file}: ${JSON.stringify(v.flatten(parsed.issues))}`);
  const { figure } = parsed.output;
  if (figure !== basename(file, '.json')) throw new Error(`${file} is a result of the figure ${figure}`);
  return parsed.output;
}
