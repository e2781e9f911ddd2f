import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import type { CliCommand } from '../cli-command.ts';
import { cliCommands } from '../cli-commands.ts';
import { manPage } from './man-page.ts';

const execute = promisify(execFile);

/** What a roff could take for its own. */
const awkward: CliCommand = {
  name: 'awkward',
  summary: '',
  usage: "[--to 'FILE']",
  description: `.TH is no request here, nor is
'TH, and \\fB is no escape.

  .B "literal"   \\n
  'x`,
  options: [{ name: 'to', value: 'FILE', description: '.hidden, "quoted", ~user^2 and \\' }],
  examples: [{ purpose: "What isn't", command: "kubectl podcap awkward --to 'a\\b'" }],
  positionals: 'none',
  run: async () => 0,
};

async function withPage<T>(use: (path: string) => Promise<T>): Promise<T> {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'kubectl-podcap.1');
  await writeFile(path, manPage([...cliCommands, awkward], { version: '1.2.3', date: '2026-11-30' }));
  return await use(path);
}

test('mandoc finds nothing wrong with the man page', async () => {
  const { stdout } = await withPage((path) =>
    execute('mandoc', ['-T', 'lint', '-W', 'style', path]).catch((error: { stdout: string }) => error),
  );
  const findings = stdout
    .split('\n')
    .filter((line) => line !== '' && !line.includes('referenced manual not found'));
  expect(findings).toEqual([]);
});

test('mandoc shows the words as they are', async () => {
  const shown = await withPage(async (path) => (await execute('mandoc', ['-T', 'ascii', path])).stdout);
  const plain = shown.replaceAll(/.[\b]/g, '').replaceAll(/\s+/g, ' ');
  expect(plain).toContain(".TH is no request here, nor is 'TH, and \\fB is no escape.");
  expect(plain).toContain(`.B "literal" \\n 'x`);
  expect(plain).toContain('--to FILE .hidden, "quoted", ~user^2 and \\');
  expect(plain).toContain("# What isn't kubectl podcap awkward --to 'a\\b'");
  for (const { name } of cliCommands) expect(plain).toContain(`kubectl podcap ${name} `);
});
