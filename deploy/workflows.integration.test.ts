import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeAll, expect, test } from 'vitest';
import { built } from '../tools/go-program.ts';
import { checkout } from '../tools/target.ts';

const folder = join(checkout, '.github/workflows');
let actionlint: string;
beforeAll(async () => {
  actionlint = await built('actionlint');
});

test('actionlint, with shellcheck, accepts every workflow', async () => {
  const names = await readdir(folder);
  expect(names).toContain('release.yaml');
  for (const name of names) expect([name, await findings(name, await workflow(name))]).toEqual([name, '']);
});

test.each([
  ['an unknown event', 'pull_request:', 'pull_requests:', 'unknown Webhook event'],
  ['a runner that does not exist', 'runs-on: ubuntu-24.04', 'runs-on: ubuntu-24.05', 'label "ubuntu-24.05"'],
  ['an input that the action does not have', 'node-version:', 'node-versions:', 'input "node-versions"'],
  ['an unknown property', 'runner.arch', 'runner.architecture', '"architecture" is not defined'],
  ['a mistake in a script', '"PATH=$PATH"', 'PATH=$PATH/*.sh $(ls)', '[shellcheck]'],
])('actionlint refuses %s', async (_mistake, right, wrong, finding) => {
  const correct = await workflow('ci.yaml');
  expect(correct).toContain(right);
  expect(await findings('ci.yaml', correct.replace(right, wrong))).toContain(finding);
});

async function workflow(name: string): Promise<string> {
  return await readFile(join(folder, name), 'utf8');
}

/** What actionlint finds wrong in `content`, as if it were the workflow of that name; empty if it accepts it. */
async function findings(name: string, content: string): Promise<string> {
  const options = ['-shellcheck=shellcheck', '-pyflakes=', '-oneline', '-stdin-filename', join(folder, name)];
  const child = spawn(actionlint, [...options, '-'], { cwd: checkout });
  child.stdin.end(content);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  const found = stdout + stderr;
  expect(code).toBe(found === '' ? 0 : 1);
  return found;
}
