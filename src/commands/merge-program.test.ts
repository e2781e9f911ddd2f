import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, type FileHandle, open, readdir } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { captureBytes } from '../pcap/testing/capture-bytes.ts';
import { readBytes } from '../pcap/testing/read-capture.ts';
import { run } from '../testbed/run-program.ts';
import { mergeScene } from './testing/merge-scene.ts';

const { header, record } = captureBytes('little');
const at = (seconds: number, bytes = 8) =>
  record({ seconds, data: Buffer.from(`at ${seconds}`.padEnd(bytes)) });
const main = join(import.meta.dirname, '../main.ts');

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s ends it and leaves no file', async (signal) => {
  await using scene = await mergeScene();
  await using pipe = await makePipe(scene.pathOf('pipe'));
  await using program = startMerge([pipe.path, '--to', scene.pathOf('out.pcapng')]);
  await pipe.write(header(), at(1));
  await until(() => exists(scene.pathOf('out.pcapng.part')), { what: 'an unfinished file' });
  program.kill(signal);
  expect(await program.ended).toEqual({ code: 128 + constants.signals[signal], stderr: '' });
  expect(await readdir(scene.path)).toEqual(['pipe']);
});

test('a pipe that is silent is reported, and delays the others no more; its packets come when they are there', async () => {
  await using scene = await mergeScene();
  await using pipe = await makePipe(scene.pathOf('pipe'));
  const file = await scene.file('a.pcap', header(), at(10), at(20));
  await using program = startMerge([pipe.path, file, '--to', '-']);
  await pipe.write(header(), at(5));
  await program.hasSaid('pipe has sent nothing for a while: the others go on without it');
  // What is written before the merge waits again is not held back.
  await program.hasWritten('at 20');
  await pipe.write(at(15));
  await pipe.close();
  const { code, stderr } = await program.ended;
  expect(code).toBe(0);
  expect(stderr).toContain('pipe sends again');
  expect(stderr).toContain('1 packet came too late for its place');
  const { packets } = await readBytes(Buffer.from(program.stdout(), 'latin1'));
  expect(packets.map(({ seconds }) => seconds)).toEqual([5, 10, 20, 15]);
});

test('a pipe whose writer ends inside a packet is reported, and all of its whole packets are there', async () => {
  await using scene = await mergeScene();
  await using pipe = await makePipe(scene.pathOf('pipe'));
  await using program = startMerge([pipe.path, '--to', scene.pathOf('out.pcapng')]);
  await pipe.write(header(), at(1), at(2).subarray(0, 20));
  await pipe.close();
  const { code, stderr } = await program.ended;
  expect([code, stderr]).toEqual([3, expect.stringMatching(/pipe, byte 48: .*inside a packet/)]);
  expect((await scene.read('out.pcapng')).packets).toHaveLength(1);
});

test('pipes that are all that is left, and send nothing, are given up; what there is, is written', async () => {
  await using scene = await mergeScene();
  await using pipe = await makePipe(scene.pathOf('pipe'));
  await run(['mkfifo', scene.pathOf('unopened')]);
  const file = await scene.file('a.pcap', header(), at(10));
  const out = scene.pathOf('out.pcapng');
  const args = [pipe.path, scene.pathOf('unopened'), file, '--wait-seconds', '1', '--to', out];
  await using program = startMerge(args);
  await pipe.write(header(), at(5));
  const { code, stderr } = await program.ended;
  expect(code).toBe(3);
  for (const name of ['pipe', 'unopened']) expect(stderr).toContain(`/${name} has sent nothing for too long`);
  expect((await scene.read('out.pcapng')).packets.map(({ seconds }) => seconds)).toEqual([5, 10]);
});

test('many silent pipes do not stop the reading of files', async () => {
  await using scene = await mergeScene();
  const pipes = Array.from({ length: 12 }, (_, number) => scene.pathOf(`pipe${number}`));
  await run(['mkfifo', ...pipes]);
  const file = await scene.file('a.pcap', header(), at(10), at(20));
  await using program = startMerge([...pipes, file, '--to', '-']);
  // Both packets, while nobody has even opened the pipes.
  await program.hasWritten('at 20');
  expect(program.stdout()).toContain('at 10');
  program.kill('SIGTERM');
  await program.ended;
});

test('pipes of a shell are read like files', async () => {
  await using scene = await mergeScene();
  const [a, b] = [
    await scene.file('a.pcap', header(), at(10), at(30)),
    await scene.file('b.pcap', header(), at(20)),
  ];
  const script = '"$1" "$2" merge <(cat "$3") <(cat "$4") /dev/fd/9 --to "$5" 9</dev/null';
  await run(['bash', '-c', script, 'bash', process.execPath, main, a, b, scene.pathOf('out.pcapng')]);
  expect((await scene.read('out.pcapng')).packets.map(({ seconds }) => seconds)).toEqual([10, 20, 30]);
});

test('ends quietly when the program that reads its output has enough', async () => {
  await using scene = await mergeScene();
  const many = Array.from({ length: 2_000 }, (_, number) => at(number, 1_000));
  const file = await scene.file('a.pcap', header(), ...many);
  await using program = startMerge([file, '--to', '-']);
  await program.closeStdout();
  expect(await program.ended).toEqual({ code: 0, stderr: '' });
});

test('ends quietly when the reader of a pipe that is its output has enough', async () => {
  await using scene = await mergeScene();
  const many = Array.from({ length: 2_000 }, (_, number) => at(number, 1_000));
  const file = await scene.file('a.pcap', header(), ...many);
  await run(['mkfifo', scene.pathOf('out')]);
  const script = 'head -c 100 "${@: -1}" >/dev/null & exec "$@"';
  await using program = startMerge([file, '--to', scene.pathOf('out')], script);
  expect(await program.ended).toEqual({ code: 0, stderr: '' });
});

test('writes nothing to a terminal that is named as a file', async () => {
  await using scene = await mergeScene();
  const file = await scene.file('a.pcap', header(), at(1));
  const command = `${process.execPath} ${main} merge ${file} --to /dev/tty; echo exit code $?`;
  const shown = await run(['script', '--quiet', '--command', command, '/dev/null']);
  expect(shown).toContain('a capture file cannot be shown on a terminal');
  expect(shown).toContain('exit code 2');
  expect(shown).not.toContain('at 1');
});

test('a file that must not grow any more is an error, and is deleted', async () => {
  await using scene = await mergeScene();
  const file = await scene.file('a.pcap', header(), at(1, 200_000), at(2, 200_000));
  // In units of 1,024 bytes.
  await using program = startMerge([file, '--to', scene.pathOf('out.pcapng')], 'ulimit -f 100 && exec "$@"');
  const { code, stderr } = await program.ended;
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/^podcap: .*out\.pcapng cannot be written: EFBIG: .*\n$/),
  ]);
  expect(await readdir(scene.path)).toEqual(['a.pcap']);
});

test('a full disk behind standard output is an error', async () => {
  await using scene = await mergeScene();
  const file = await scene.file('a.pcap', header(), at(1));
  await using program = startMerge([file, '--to', '-'], 'exec "$@" >/dev/full');
  expect(await program.ended).toEqual({
    code: 1,
    stderr: 'podcap: standard output cannot be written: ENOSPC: no space left on device, write\n',
  });
});

/** A FIFO, opened for writing with the first bytes: that waits for its reader. */
async function makePipe(path: string) {
  await run(['mkfifo', path]);
  let writer: FileHandle | undefined;
  return {
    path,
    async write(...parts: readonly Buffer[]): Promise<void> {
      writer ??= await open(path, 'w');
      await writer.write(Buffer.concat(parts));
    },
    close: async () => await writer?.close(),
    [Symbol.asyncDispose]: async () => await writer?.close(),
  };
}

/** Starts `podcap merge`, by a script of bash. */
function startMerge(args: readonly string[], script = 'exec "$@"') {
  const program = [process.execPath, main, 'merge', ...args];
  const child = spawn('bash', ['-c', script, 'bash', ...program], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('latin1').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = once(child, 'close').then(([code]) => ({ code: code as unknown, stderr }));
  return {
    ended,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    stdout: () => stdout,
    hasWritten: (text: string) => until(() => stdout.includes(text), { what: text }),
    hasSaid: (text: string) => until(() => stderr.includes(text), { what: text }),
    async closeStdout() {
      await once(child.stdout, 'data');
      child.stdout.destroy();
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
