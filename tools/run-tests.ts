import { glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { status } from '../cluster/cluster-status.ts';
import { deploy } from './deploy.ts';
import { must, show } from './shell.ts';
import { checkout, ourTarget } from './target.ts';
import { readVitestReport, type TestResults } from './vitest-report.ts';

/** What one runner found: vitest, or a checker. */
type Outcome = Omit<TestResults, 'knownFailures'> & {
  readonly runner: string;
  readonly knownFailures?: number;
};

const results = `${checkout}/build/results`;
const binaries = `${checkout}/node_modules/.bin`;

/** `make check`: format, lint, types, C analysis, and unit tests. Like the others, it returns the exit code. */
export async function check(): Promise<number> {
  await freshResults();
  return conclude([...(await checks()), await vitest('unit')]);
}

/** `make test`: every check and every test except those of test-faults and test-docker. */
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

/** `make test-faults`: the faults of docs/reliability.md, most of them many times. */
export async function testFaults(): Promise<number> {
  await freshResults();
  return conclude([await onCluster('faults')]);
}

/** `make test-docker`: the image that a real Docker engine builds, by README's command, as the agent of the cluster. */
export async function testDocker(): Promise<number> {
  await freshResults();
  return conclude([await onCluster('docker')]);
}

/** Brings the cluster up with the agents of this checkout, and ends it afterwards unless it was up before. */
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
  const sources = await Array.fromAsync(glob('src/**/*.c', { cwd: checkout }));
  const headers = await Array.fromAsync(glob('src/**/*.h', { cwd: checkout }));
  return [
    await checked('format', [`${binaries}/biome`, 'ci', '.']),
    await checked('lint', [`${binaries}/oxlint`, '--type-aware', '--deny-warnings']),
    await checked('types', [`${binaries}/tsc`]),
    await checked('types-node-20', [`${binaries}/tsc`, '--project', 'tsconfig.node-20.json']),
    await checked('c-format', ['clang-format', '--dry-run', '--Werror', ...sources, ...headers]),
    await checked('c-analysis', ['clang', ...analysis, ...sources]),
  ];
}

/** clang's analyzer, with the flags that the C is compiled with; a finding is an error. */
const analysis = [
  '--analyze',
  '--analyzer-output',
  'text',
  '-Xclang',
  '-analyzer-werror',
  '@src/compile_flags.txt',
];

/** Runs a checker in the checkout, which counts as one test. */
async function checked(runner: string, [command, ...args]: readonly [string, ...string[]]): Promise<Outcome> {
  heading(runner);
  const code = await show(command, args);
  const hasPassed = code === 0;
  const outcome = { runner, passed: hasPassed ? 1 : 0, failed: hasPassed ? 0 : 1, failures: [] };
  await writeFile(`${results}/${runner}.json`, JSON.stringify(outcome));
  return outcome;
}

async function vitest(project: string): Promise<Outcome> {
  heading(`${project} tests`);
  const file = `${results}/${project}.json`;
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const code = await show(`${binaries}/vitest`, ['run', '--project', project, ...reporters]);
  const report = await readFile(file, 'utf8').catch(() => undefined);
  if (report !== undefined) return { runner: project, ...readVitestReport(report, code) };
  return { runner: project, passed: 0, failed: 1, failures: [`no report: exit code ${code}`] };
}

/** The end of the output has every failure: the runs themselves may be thousands of lines above. */
function conclude(outcomes: readonly Outcome[]): number {
  heading('result');
  for (const { runner, passed, failed } of outcomes) {
    say(`${runner.padEnd(12)} ${passed} passed, ${failed} failed`);
  }
  for (const failure of outcomes.flatMap(({ failures }) => failures)) say(`\nfailed: ${failure}`);
  const [passed, failed] = [sum(outcomes, 'passed'), sum(outcomes, 'failed')];
  const knownFailures = sum(outcomes, 'knownFailures');
  say('');
  if (knownFailures > 0)
    say(`${knownFailures} of the passed tests are known failures: they must fail, and did`);
  // Programs read this line: it is the last one, and has nothing else in it.
  say(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function sum(outcomes: readonly Outcome[], field: 'passed' | 'failed' | 'knownFailures'): number {
  return outcomes.reduce((total, outcome) => total + (outcome[field] ?? 0), 0);
}

function heading(text: string): void {
  say(`\n== ${text}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
