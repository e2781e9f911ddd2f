import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { status } from '../cluster/cluster-status.ts';
import { deploy } from './deploy.ts';
import { must, show } from './shell.ts';
import { checkout, ourTarget } from './target.ts';

/** What one runner found. A skipped test counts as failed: nothing here may be left out silently. */
type Outcome = {
  readonly runner: string;
  readonly passed: number;
  readonly failed: number;
  /** What did not pass and why, to be read where the run ends: the rest may be thousands of lines above. */
  readonly failures: readonly string[];
};

/** The part of vitest's JSON report that is read here. */
type VitestReport = {
  readonly numPassedTests: number;
  readonly numTotalTests: number;
  readonly testResults: readonly {
    readonly name: string;
    /** Why the file did not load; '' if it did. */
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
};

const results = `${checkout}/build/results`;

/** Format, lint, types and unit tests. */
export async function check(): Promise<number> {
  await freshResults();
  return conclude([...(await checks()), await vitest('unit')]);
}

/** Everything but the faults. */
export async function test(): Promise<number> {
  await freshResults();
  return conclude([
    ...(await checks()),
    await vitest('unit'),
    await vitest('integration'),
    await vitest('deploy'),
    await onCluster('end-to-end'),
  ]);
}

/** The faults of docs/reliability.md, each many times. */
export async function testFaults(): Promise<number> {
  await freshResults();
  return conclude([await onCluster('faults')]);
}

/** Brings the cluster up, with this checkout's agents, and ends it again unless it was up before. */
async function onCluster(project: string): Promise<Outcome> {
  const wasUp = (await status(checkout)).up;
  try {
    await must(process.execPath, [`${checkout}/cluster/main.ts`, 'up']);
    await deploy(ourTarget());
    return await vitest(project);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { runner: project, passed: 0, failed: 1, failures: [why] };
  } finally {
    if (!wasUp) await must(process.execPath, [`${checkout}/cluster/main.ts`, 'down']);
  }
}

async function freshResults(): Promise<void> {
  await rm(results, { recursive: true, force: true });
  await mkdir(results, { recursive: true });
}

async function checks(): Promise<Outcome[]> {
  return [
    await checked('format', 'biome', ['ci', '.']),
    await checked('lint', 'oxlint', ['--type-aware', '--deny-warnings']),
    await checked('types', 'tsc', []),
  ];
}

/** A checker that says only yes or no: one test. */
async function checked(runner: string, command: string, args: readonly string[]): Promise<Outcome> {
  heading(runner);
  const code = await show(`${checkout}/node_modules/.bin/${command}`, args);
  const isGood = code === 0;
  const outcome = { runner, passed: isGood ? 1 : 0, failed: isGood ? 0 : 1, failures: [] };
  await writeFile(`${results}/${runner}.json`, JSON.stringify(outcome));
  return outcome;
}

async function vitest(project: string): Promise<Outcome> {
  heading(`${project} tests`);
  const file = `${results}/${project}.json`;
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const code = await show(`${checkout}/node_modules/.bin/vitest`, [
    'run',
    '--project',
    project,
    ...reporters,
  ]);
  return { runner: project, ...(await readOutcome(file, code)) };
}

async function readOutcome(file: string, code: number): Promise<Omit<Outcome, 'runner'>> {
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return { passed: 0, failed: 1, failures: [`no report: exit code ${code}`] };
  const report: VitestReport = JSON.parse(text);
  const passed = report.numPassedTests;
  const failed = report.numTotalTests - passed;
  // A file that does not load, an error outside a test, or a run of no test at all shows in the exit code alone.
  const isBroken = failed === 0 && (code !== 0 || passed === 0);
  return { passed, failed: isBroken ? 1 : failed, failures: failuresOf(report) };
}

function failuresOf({ testResults }: VitestReport): string[] {
  return testResults.flatMap(({ name, message, assertionResults }) => {
    const file = path.relative(checkout, name);
    const failed = assertionResults
      .filter((assertion) => assertion.status !== 'passed')
      .map(({ fullName, failureMessages }) => [fullName, ...failureMessages].join('\n'))
      .map((why) => why.replaceAll(/\n +at .*node_modules.*/g, ''));
    return [...(message === '' ? [] : [message]), ...failed].map((why) => `${file}: ${why}`);
  });
}

function conclude(outcomes: readonly Outcome[]): number {
  heading('result');
  for (const { runner, passed, failed } of outcomes)
    say(`${runner.padEnd(12)} ${passed} passed, ${failed} failed`);
  for (const failure of outcomes.flatMap(({ failures }) => failures)) say(`\nfailed: ${failure}`);
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
  const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0);
  say(`\n${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function heading(text: string): void {
  say(`\n== ${text}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
