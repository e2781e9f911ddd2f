import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../testbed/temporary-folder.ts';

const main = join(import.meta.dirname, 'main.ts');
const slow = join(import.meta.dirname, 'testing/slow-program.ts');

/** Resolves to the exit code, or the signal that has ended it. */
async function ended(child: ChildProcess): Promise<unknown> {
  const [code, signal]: unknown[] = await once(child, 'close');
  return code ?? signal;
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s ends a command with the exit code %i, and without a word', async (signal, code) => {
  await using folder = await temporaryFolder();
  const pipe = join(folder.path, 'pipe');
  await promisify(execFile)('mkfifo', [pipe]);
  const child = spawn(process.execPath, [main, 'show', pipe], { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = text(child.stderr);
  // Opened by both: the command reads, and waits for packets.
  const writer = spawn('sh', ['-c', 'exec >"$1"; echo open >&2; exec sleep 60', 'sh', pipe], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await once(writer.stderr, 'data');
  child.kill(signal);
  expect(await ended(child)).toBe(code);
  expect(await said).toBe('');
  writer.kill('SIGKILL');
});

test('a command that takes long to end is ended by a second signal', async () => {
  const child = spawn(process.execPath, [slow], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = child.stdout.setEncoding('utf8');
  expect(await once(lines, 'data')).toEqual(['ready\n']);
  child.kill('SIGINT');
  expect(await once(lines, 'data')).toEqual(['asked to end\n']);
  child.kill('SIGINT');
  expect(await ended(child)).toBe(130);
});

test('a reader that goes away is a normal end', async () => {
  const command = '"$0" "$1" show --help | true; echo "${PIPESTATUS[0]}"';
  const { stdout, stderr } = await promisify(execFile)('bash', ['-c', command, process.execPath, main]);
  expect({ stdout, stderr }).toEqual({ stdout: '0\n', stderr: '' });
});
