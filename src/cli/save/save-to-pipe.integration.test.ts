import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { built } from '../../../tools/go-program.ts';
import { readBytes } from '../../pcap/testing/read-capture.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { cliProgram, hubScene, type StreamAnswerer } from '../testing/hub-scene.ts';
import { recordingBytes } from '../testing/memory-streams.ts';

// The first run builds kubectl, which takes minutes.
beforeAll(() => built('kubectl'), 1_200_000);

const sends =
  (bytes: Uint8Array): StreamAnswerer =>
  (stream) => {
    stream.data(bytes);
    stream.end();
  };

/** More than a pipe holds. */
const long = recordingBytes(
  'web',
  Array.from({ length: 9_999 }, (_, second) => second),
);

async function namedPipe() {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'pipe');
  execFileSync('mkfifo', [path]);
  return { path, folder: folder.path, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

/** A program that has the pipe open, and never reads it. */
async function stalledReader(path: string) {
  const child = spawn('sh', ['-c', 'exec <"$1"; echo open; exec sleep 600', 'sh', path], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return {
    isOpen: once(child.stdout, 'data'),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await once(child, 'close');
    },
  };
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
  ['SIGQUIT', 131],
] as const)('while a pipe has no reader, %s ends it', async (signal, code) => {
  await using pipe = await namedPipe();
  await using hub = await hubScene({ 'web/log': [sends(long)] });
  await using saving = hub.run(['save', 'web', '--to', pipe.path]);
  await expect.poll(saving.said, { timeout: 20_000 }).toContain('waiting for its reader');
  saving.child.kill(signal);
  expect(await saving.ended).toMatchObject({ code });
});

test('while a pipe is not read, the first signal ends save', async () => {
  await using pipe = await namedPipe();
  await using reader = await stalledReader(pipe.path);
  await using hub = await hubScene({ 'web/log': [sends(long)] });
  await using saving = hub.run(['save', 'web', '--to', pipe.path]);
  await reader.isOpen;
  await expect.poll(() => hub.asked().some((path) => path.includes('/log')), { timeout: 20_000 }).toBe(true);
  saving.child.kill('SIGINT');
  expect(await saving.ended).toMatchObject({ code: 130 });
});

test('while a pipe is not read, the second signal ends live', async () => {
  await using pipe = await namedPipe();
  await using reader = await stalledReader(pipe.path);
  await using hub = await hubScene(
    { 'web/attach': [(stream) => stream.data(long)] },
    {
      'pods/web': {
        metadata: { namespace: 'shop', name: 'web', uid: 'u' },
        spec: { nodeName: 'n1' },
        status: { phase: 'Running' },
      },
    },
  );
  await using live = hub.run(['live', 'web', '--to', pipe.path]);
  await reader.isOpen;
  await expect
    .poll(() => hub.asked().some((path) => path.includes('/attach')), { timeout: 20_000 })
    .toBe(true);
  live.child.kill('SIGINT');
  await expect.poll(live.said, { timeout: 20_000 }).not.toBe('');
  live.child.kill('SIGINT');
  expect((await live.ended).code).not.toBeNull();
});

test.each(['>(cat >out)', '/dev/stdout | cat >out'])('it can be written to %s', async (to) => {
  await using folder = await temporaryFolder();
  await using hub = await hubScene({ 'web/log': [sends(long)] });
  const script = `set -o pipefail; ${cliProgram.join(' ')} save web --to ${to}; code=$?; wait; exit $code`;
  const shell = spawn('bash', ['-c', script], { cwd: folder.path, env: hub.env, stdio: 'ignore' });
  expect(await once(shell, 'close')).toEqual([0, null]);
  await expect
    .poll(async () => (await readBytes(await readFile(join(folder.path, 'out')))).packets.length)
    .toBe(9_999);
  expect(await readdir(folder.path)).toEqual(['out']);
});

test('SIGQUIT leaves no part of a file', async () => {
  await using folder = await temporaryFolder();
  await using hub = await hubScene({ 'web/log': [(stream) => stream.data(long.subarray(0, 500))] });
  await using saving = hub.run(['save', 'web', '--to', 'web.pcapng'], { cwd: folder.path });
  await expect.poll(() => readdir(folder.path), { timeout: 20_000 }).toEqual(['web.pcapng.part']);
  saving.child.kill('SIGQUIT');
  expect(await saving.ended).toMatchObject({ code: 131 });
  expect(await readdir(folder.path)).toEqual([]);
});
