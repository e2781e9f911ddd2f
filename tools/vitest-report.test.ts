import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../src/testbed/temporary-folder.ts';
import { checkout } from './target.ts';
import { readVitestReport, type TestResults } from './vitest-report.ts';

const config = `export default {
  test: { globals: true, setupFiles: ['${checkout}/tools/mark-known-failures.ts'] },
};
`;
const tests = `
test('passes', () => expect(1).toBe(1));
test('fails', () => expect(1).toBe(2));
test.fails('is a known failure', () => expect(1).toBe(2));
test.fails('is fixed', () => expect(1).toBe(1));
test.skip('is skipped', () => expect(1).toBe(1));
test.todo('is to be written');
`;

let results: TestResults;
beforeAll(async () => {
  results = await resultsOf(tests);
});

test('a known failure counts as passed, and one that is fixed as failed', () => {
  expect(results).toMatchObject({ passed: 2, knownFailures: 1, failed: 4 });
});

test('each test that did not pass is named, with the reason', () => {
  const firstLines = results.failures.map((failure) => failure.split('\n').slice(0, 2).join(': '));
  expect(firstLines).toEqual([
    expect.stringMatching(/some\.test\.js: fails: AssertionError: expected 1 to be 2/),
    expect.stringMatching(/some\.test\.js: is fixed: Error: Expect test to fail/),
    expect.stringMatching(/some\.test\.js: is skipped$/),
    expect.stringMatching(/some\.test\.js: is to be written$/),
  ]);
});

test.each([
  ['a file that does not load', 'throw new Error("no such thing");'],
  ['a file without a test', ''],
])('%s counts as one failed test', async (_what, content) => {
  expect(await resultsOf(content)).toMatchObject({ passed: 0, failed: 1 });
});

/** Runs vitest on one file with these tests. */
async function resultsOf(content: string): Promise<TestResults> {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, 'vitest.config.js'), config);
  await writeFile(join(folder.path, 'some.test.js'), content);
  const report = join(folder.path, 'report.json');
  const args = ['run', '--root', folder.path, '--reporter=json', `--outputFile.json=${report}`];
  const code = await new Promise<number>((resolve) => {
    execFile(`${checkout}/node_modules/.bin/vitest`, args, (error) => resolve(error === null ? 0 : 1));
  });
  return readVitestReport(await readFile(report, 'utf8'), code);
}
