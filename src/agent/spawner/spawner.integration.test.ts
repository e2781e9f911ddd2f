import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, readdir, readlink } from 'node:fs/promises';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { compileNative, compileSpawner } from '../../testbed/compile.ts';
import { run } from '../../testbed/run-program.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { openWriteBufferSlots } from '../capture/write-buffer-slots.ts';
import { testSpawner } from '../testing/tcpdump-fixtures.ts';
import { type Command, type StreamingSpawner, startSpawner } from './spawner.ts';

const ourNetwork = '/proc/self/ns/net';
const netRaw = (1 << 13).toString(16).padStart(16, '0');

let spawner: StreamingSpawner;

beforeAll(async () => {
  spawner = await testSpawner();
});

afterAll(() => spawner[Symbol.asyncDispose]());

test('a program runs in its network, with NET_RAW and its library and nothing else', async () => {
  await using testbed = await vethTestbed();
  const [status, maps, network] = await Promise.all(
    [
      ['cat', '/proc/self/status'],
      ['cat', '/proc/self/maps'],
      ['readlink', '/proc/self/ns/net'],
    ].map(async ([program = '', ...args]) => {
      const { lines } = await runToEnd(onStandardError(program, ...args), testbed.netns);
      return lines.join('\n');
    }),
  );
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
    expect(status).toMatch(new RegExp(`^${set}:\\s${netRaw}$`, 'm'));
  }
  for (const id of ['Uid', 'Gid']) expect(status).toMatch(new RegExp(`^${id}:(\\s10001){4}$`, 'm'));
  expect(status).toMatch(/^Groups:\s*$/m);
  expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  // The spawner's own blocked and ignored signals are not inherited.
  expect(status).toMatch(/^SigBlk:\t0{16}$/m);
  expect(ignoredSignals(status)).not.toContain(constants.signals.SIGPIPE);
  expect(maps).toContain('podcap-preload.so');
  expect(network).not.toBe(await readlink(ourNetwork));
});

test('a program has its own descriptors and no others', async () => {
  await using folder = await temporaryFolder();
  await using slots = await openWriteBufferSlots(folder.path, 1);
  await using own = await testSpawner(slots.fd);
  const { lines } = await runToEnd(onStandardError('ls', '/proc/self/fd'), ourNetwork, own);
  // The last one is of the folder that ls reads.
  expect(lines).toEqual(['0', '1', '2', '3', '4']);
});

test('passes its arguments on unchanged', async () => {
  const hostile = ['-n', '--help', 'a b', '$(id)', '', 'é'];
  expect(await runToEnd(onStandardError('printf', '%s;', ...hostile))).toEqual({
    lines: [`${hostile.join(';')};`],
    exit: 'exit code 0',
  });
});

test('passes on every line, many at once, and a last one without its newline', async () => {
  const { lines } = await runToEnd(['sh', '-c', 'seq 100000 >&2; printf end >&2']);
  expect(lines).toHaveLength(100_001);
  expect(lines.slice(-2)).toEqual(['100000', 'end']);
});

test('passes on to standard input what is written', async () => {
  const lines: string[] = [];
  const program = spawner.start({
    netns: ourNetwork,
    argv: ['sh', '-c', 'read -r line; echo "$line" >&2'],
    onLine: (line) => lines.push(line),
  });
  program.write('a line\n');
  await program.ended;
  expect(lines).toEqual(['a line']);
});

test('a program whose pipe was full gets whole texts, and the newest one last', async () => {
  const lines: string[] = [];
  const program = spawner.start({
    netns: ourNetwork,
    argv: ['sh', '-c', 'echo ready >&2; read -r _; exec cat >&2'],
    onLine: (line) => lines.push(line),
  });
  await until(() => lines.length === 1, { what: 'the program' });
  program.kill('SIGSTOP');
  // A pipe has 64 KiB.
  const texts = Array.from({ length: 20_000 }, (_, number) => `line ${number} of many`);
  for (const text of texts) program.write(`${text}\n`);
  // Another program starts after all of them have been handled.
  await runToEnd(['true']);
  program.kill('SIGCONT');
  await until(() => lines.at(-1) === texts.at(-1), { what: 'the newest text' });
  expect(lines.length).toBeLessThan(texts.length);
  expect(lines.slice(1)).toEqual(texts.slice(1, lines.length - 1).concat(texts.slice(-1)));
  program.kill('SIGKILL');
  await program.ended;
});

test('a program may end while a text waits for its pipe', async () => {
  const program = spawner.start({ netns: ourNetwork, argv: ['sleep', '60'], onLine() {} });
  for (let number = 0; number < 100; number += 1) program.write('text '.repeat(800));
  program.kill('SIGKILL');
  expect(await program.ended).toBe('ended by SIGKILL');
  expect((await runToEnd(['true'])).exit).toBe('exit code 0');
});

test('a text that is too long for a pipe to take as a whole is not written at all', async () => {
  const lines: string[] = [];
  const program = spawner.start({
    netns: ourNetwork,
    argv: ['sh', '-c', 'exec cat >&2'],
    onLine: (line) => lines.push(line),
  });
  program.write('x'.repeat(4_097));
  program.write(`${'y'.repeat(4_095)}\n`);
  await until(() => lines.length > 0, { what: 'a line' });
  program.kill('SIGKILL');
  await program.ended;
  expect(lines).toEqual(['y'.repeat(4_095)]);
});

test.each([
  ['exit code 7', ['sh', '-c', 'exit 7']],
  ['ended by SIGSEGV', ['sh', '-c', 'kill -SEGV $$']],
] satisfies [string, Command['argv']][])('reports how a program has ended: %s', async (exit, argv) => {
  expect(await runToEnd(argv)).toMatchObject({ exit });
});

test.each<[string, string, Command['argv'], string?]>([
  ['a missing network namespace', '/nowhere: No such file or directory', ['id'], '/nowhere'],
  ['a file that is not a network namespace', '/etc/passwd: Invalid argument', ['id'], '/etc/passwd'],
  ['a missing program', '/no/program: No such file or directory', ['/no/program']],
])('%s: prints the error, and runs nothing', async (_what, problem, argv, netns = ourNetwork) => {
  expect(await runToEnd(argv, netns)).toEqual({
    lines: [`podcap-spawner: ${problem}`],
    exit: 'exit code 1',
  });
});

test('refuses a NUL in an argument, and a request that is too long', async () => {
  expect(await runToEnd(['id', '\0'])).toEqual({ lines: [], exit: 'a NUL in an argument' });
  expect(() => spawner.start({ netns: ourNetwork, argv: ['id', 'x'.repeat(65_536)], onLine() {} })).toThrow(
    'a request of 65558 bytes: 65536 at most',
  );
  expect(await runToEnd(['true'])).toMatchObject({ exit: 'exit code 0' });
});

test('prints the error when it has no descriptors for another program, and the others keep running', async () => {
  await using own = await testSpawner();
  const sleeper = own.start({ netns: ourNetwork, argv: ['sleep', '60'], onLine() {} });
  await until(() => sleeper.pid(), { what: 'the sleeper to be started' });
  const { length } = await readdir(`/proc/${own.pid}/fd`);
  await run(['prlimit', `--pid=${own.pid}`, `--nofile=${length + 3}`]);
  expect(await runToEnd(['true'], ourNetwork, own)).toEqual({
    lines: ['podcap-spawner: no process: Too many open files'],
    exit: 'exit code 1',
  });
  sleeper.kill('SIGKILL');
  expect(await sleeper.ended).toBe('ended by SIGKILL');
  expect(await runToEnd(['true'], ourNetwork, own)).toMatchObject({ exit: 'exit code 0' });
});

test('has no more descriptors after 1,000 programs than before', async () => {
  const before = (await readdir(`/proc/${spawner.pid}/fd`)).length;
  for (let round = 0; round < 100; round += 1) {
    await Promise.all(Array.from({ length: 10 }, () => runToEnd(['true'])));
  }
  expect((await readdir(`/proc/${spawner.pid}/fd`)).length).toBe(before);
});

test.each([
  ['killed', (pid: number) => process.kill(pid, 'SIGKILL')],
  // The agent kills it because it does not answer.
  ['stopped', (pid: number) => process.kill(pid, 'SIGSTOP')],
])('a spawner that is %s is reported as lost, and its programs end', async (_what, strike) => {
  const { promise: lost, resolve: onLost } = Promise.withResolvers<string>();
  await using own = startSpawner({ nativeFolder: dirname(await compileSpawner()), userId: 10_001, onLost });
  const program = own.start({ netns: ourNetwork, argv: ['sleep', '60'], onLine() {} });
  const pid = await until(() => program.pid(), { what: 'the program to be started' });
  strike(own.pid ?? 0);
  program.kill('SIGCONT');
  expect(await lost).toBe('podcap-spawner: ended by SIGKILL');
  expect(await program.ended).toBe('podcap-spawner: ended by SIGKILL');
  await until(() => !isAlive(pid), { what: 'the program to end' });
  expect(await runToEnd(['true'], ourNetwork, own)).toEqual({
    lines: [],
    exit: 'podcap-spawner: ended by SIGKILL',
  });
});

test('a stopped spawner ends when it is disposed', async () => {
  const lost: string[] = [];
  const native = dirname(await compileSpawner());
  const own = startSpawner({ nativeFolder: native, userId: 10_001, onLost: (why) => lost.push(why) });
  expect(await runToEnd(['true'], ourNetwork, own)).toMatchObject({ exit: 'exit code 0' });
  const pid = own.pid ?? 0;
  process.kill(pid, 'SIGSTOP');
  await own[Symbol.asyncDispose]();
  expect(isAlive(pid)).toBe(false);
  expect(lost).toEqual([]);
});

test('a missing spawner is reported as lost, and runs nothing', async () => {
  const { promise: lost, resolve: onLost } = Promise.withResolvers<string>();
  await using own = startSpawner({ nativeFolder: '/nowhere', userId: 10_001, onLost });
  const exit = 'podcap-spawner: spawn /nowhere/podcap-spawner ENOENT';
  expect(await runToEnd(['true'], ourNetwork, own)).toEqual({ lines: [], exit });
  expect(await lost).toBe(exit);
});

test('a stopped spawner ends with its agent', async () => {
  await compileNative();
  const agent = spawn(process.execPath, ['--input-type=module', '-e', agentProgram], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [pid]: unknown[] = await once(agent.stdout, 'data');
  const spawnerPid = Number(pid);
  process.kill(spawnerPid, 'SIGSTOP');
  agent.kill('SIGKILL');
  expect(await until(() => !isAlive(spawnerPid), { what: 'the spawner to end' })).toBe(true);
});

test.each([
  ['0: Invalid argument', ['PARENT', '0', '/', '/']],
  ['-1: Invalid argument', ['PARENT', '-1', '/', '/']],
  ['4294967296: Invalid argument', ['PARENT', '4294967296', '/', '/']],
  ['10001x: Invalid argument', ['PARENT', '10001x', '/', '/']],
  [': Invalid argument', ['PARENT', '', '/', '/']],
  ['parent: No such process', ['1', '10001', '/', '/']],
])('prints "%s" about its own arguments', async (problem, args) => {
  const words = args.map((word) => (word === 'PARENT' ? `${process.pid}` : word));
  await expect(run([await compileSpawner(), ...words])).rejects.toMatchObject({
    code: 1,
    stderr: `podcap-spawner: ${problem}\n`,
  });
});

test('prints its usage', async () => {
  await expect(run([await compileSpawner(), ourNetwork])).rejects.toMatchObject({
    code: 1,
    stderr: 'usage: podcap-spawner PARENT USER LIBRARY STREAM_LIBRARY\n',
  });
});

test('a missing library: prints the error, and runs nothing', async () => {
  await using made = await temporaryFolder();
  await copyFile(await compileSpawner(), join(made.path, 'podcap-spawner'));
  await using own = startSpawner({ nativeFolder: made.path, userId: 10_001, onLost() {} });
  expect(await runToEnd(['id'], ourNetwork, own)).toEqual({
    lines: [`podcap-spawner: ${made.path}/podcap-preload.so: No such file or directory`],
    exit: 'exit code 1',
  });
});

const agentProgram = `
  import { testSpawner } from ${JSON.stringify(new URL('../testing/tcpdump-fixtures.ts', import.meta.url).href)};
  const spawner = await testSpawner();
  await spawner.start({ netns: '${ourNetwork}', argv: ['true'], onLine() {} }).ended;
  process.stdout.write(String(spawner.pid));
  setInterval(() => {}, 60_000);
`;

/** A program whose output is on standard error: its standard output is /dev/null. */
function onStandardError(program: string, ...args: readonly string[]): Command['argv'] {
  return ['sh', '-c', 'exec "$@" >&2', 'sh', program, ...args];
}

async function runToEnd(argv: Command['argv'], netns = ourNetwork, by = spawner) {
  const lines: string[] = [];
  const { ended } = by.start({ netns, argv, onLine: (line) => lines.push(line) });
  return { lines, exit: await ended };
}

function ignoredSignals(status: string | undefined): number[] {
  const set = BigInt(`0x${/^SigIgn:\t(\w+)$/m.exec(status ?? '')?.[1]}`);
  return Array.from({ length: 64 }, (_, index) => index + 1).filter(
    (signal) => (set >> BigInt(signal - 1)) & 1n,
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a streaming program runs with a library of its own, and its standard output is read here to its end', async () => {
  const { text, exit } = await streamToEnd(['sh', '-c', 'cat /proc/self/maps; seq 100000']);
  expect(exit).toBe('exit code 0');
  expect(text).not.toContain('podcap-preload.so');
  expect(text).toContain('podcap-tap-preload.so');
  expect(text.endsWith('99999\n100000\n')).toBe(true);
});

test('streams of programs that end at once are never mistaken for each other', async () => {
  const words = Array.from({ length: 100 }, (_, number) => `word ${number}`);
  const streamed = await Promise.all(words.map((word) => streamToEnd(['printf', '%s', word])));
  expect(streamed.map(({ text }) => text)).toEqual(words);
});

test('the spawner keeps no descriptor of a stream', async () => {
  const descriptors = () => readdir(`/proc/${spawner.pid}/fd`);
  const before = await descriptors();
  await streamToEnd(['true']);
  expect(await descriptors()).toEqual(before);
});

test('a streaming program ends at its next write once its stream is destroyed', async () => {
  const program = spawner.startStreaming({ netns: ourNetwork, argv: ['yes'], onLine() {} });
  (await program.stream)?.destroy();
  expect(await program.ended).toBe('ended by SIGPIPE');
});

test.each([
  ['a missing program', ['/no/program'], 'exit code 1'],
  ['a NUL in an argument', ['yes', '\0'], 'a NUL in an argument'],
] satisfies [string, Command['argv'], string][])('%s has an empty stream', async (_what, argv, exit) => {
  expect(await streamToEnd(argv)).toEqual({ text: '', exit });
});

async function streamToEnd(argv: Command['argv']): Promise<{ readonly text: string; readonly exit: string }> {
  const program = spawner.startStreaming({ netns: ourNetwork, argv, onLine() {} });
  const stream = await program.stream;
  const chunks: Buffer[] = [];
  for await (const chunk of stream ?? []) chunks.push(chunk);
  return { text: Buffer.concat(chunks).toString(), exit: await program.ended };
}
