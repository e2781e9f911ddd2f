import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { filterTerms } from '../pcap/filter/filter-terms.ts';
import type { Damage } from '../pcap/packet-reader.ts';
import { type ShowParts, showCommand } from './show.ts';
import { readerOf, showParts, type TestCapture } from './testing/show-scene.ts';

const twoPackets: TestCapture = { packets: ['hello', 'world'] };

test('prints the packets of a file that match the filter', async () => {
  const ran = await show(['web.pcap', '--filter', 'port 80 and "WORLD"'], twoPackets);
  expect(ran).toEqual({ code: 0, stdout: '1700000000+0 us - 1 world\n', stderr: '', files: ['web.pcap'] });
});

test.each([[[]], [['--filter', '']]])('prints every packet without a filter: %j', async (filter) => {
  const { code, stdout } = await show(['-', ...filter], twoPackets);
  expect([code, stdout.split('\n').length]).toEqual([0, 3]);
});

test.each([['--count'], ['-c']])('prints at most as many lines as %s says', async (option) => {
  const { code, stdout } = await show(['web.pcap', option, '1'], twoPackets);
  expect([code, stdout]).toEqual([0, '1700000000+0 us - 1 hello\n']);
});

test('says on a terminal that nothing matches', async () => {
  const args = ['web.pcap', '--filter', 'udp'];
  expect(await show(args, twoPackets, { isTTY: true })).toMatchObject({
    code: 0,
    stdout: '',
    stderr: 'podcap: no packet of 2 matches\n',
  });
  expect(await show(args, twoPackets)).toMatchObject({ code: 0, stderr: '' });
  expect(await show(args, { packets: [] }, { isTTY: true })).toMatchObject({
    code: 0,
    stderr: 'podcap: there is no packet\n',
  });
  expect(await show(['web.pcap'], twoPackets, { isTTY: true })).toMatchObject({ code: 0, stderr: '' });
});

test('shows what is wrong with a filter before it opens the file', async () => {
  expect(await show(['web.pcap', '--filter', 'port eighty'], twoPackets)).toEqual({
    code: 2,
    stdout: '',
    stderr: [
      'podcap: the filter is wrong:',
      '  port eighty',
      '       ^^^^^^ a port must be a number from 0 to 65535 or a range such as 8000-8100, not "eighty"',
      '',
    ].join('\n'),
    files: [],
  });
});

test('fits a wrong filter into the terminal', async () => {
  const filter = `${'tcp or '.repeat(30)}udpp`;
  const { stderr } = await show(['x', '--filter', filter], twoPackets, { isTTY: true, columns: 40 });
  expect(stderr.split('\n').slice(1)).toEqual([
    '  … or tcp or tcp or tcp or tcp or udpp',
    `${' '.repeat(35)}^^^^`,
    '  "udpp" is not known: did you mean "udp"?',
    '',
  ]);
});

test('prints what is damaged, and ends with 3 because packets are missing', async () => {
  const damage: Damage = {
    message: 'web.pcap ends inside of a packet, at byte 24',
    kind: 'cut',
    offset: 24,
    resumedAt: undefined,
  };
  expect(await show(['web.pcap'], { ...twoPackets, damage: [damage] })).toMatchObject({
    code: 3,
    stdout: expect.stringMatching(/hello\n.*world\n$/),
    stderr: 'podcap: web.pcap ends inside of a packet, at byte 24\n',
  });
});

test('says why a file cannot be opened or read', async () => {
  const refused = showParts(async () => ({ kind: 'not-capture', message: 'web.pcap is not a capture' }));
  expect(await run(['web.pcap'], refused)).toMatchObject({
    code: 1,
    stderr: 'podcap: web.pcap is not a capture\n',
  });
  const error = Object.assign(new Error('EACCES: permission denied'), { syscall: 'open' });
  expect(
    await run(
      ['web.pcap'],
      showParts(() => Promise.reject(error)),
    ),
  ).toMatchObject({
    code: 1,
    stderr: 'podcap: web.pcap cannot be read: EACCES: permission denied\n',
  });
  const failing = Promise.reject(Object.assign(new Error('EIO: i/o error'), { syscall: 'read' }));
  expect(await show(['web.pcap'], { packets: ['hello', failing] })).toMatchObject({
    code: 3,
    stdout: expect.stringMatching(/hello\n$/),
    stderr: 'podcap: web.pcap was not shown to its end: EIO: i/o error\n',
  });
});

test.each([[['web.pcap']], [['--help']]])(
  'says that the output cannot be written, and not the file that it reads: %j',
  async (args) => {
    const error = Object.assign(new Error('ENOSPC: no space left on device, write'), { syscall: 'write' });
    const stdout = new Writable({ write: (_chunk, _encoding, done) => done(error) });
    const stderr = new PassThrough();
    const parts = showParts(async () => ({ kind: 'capture', reader: readerOf(twoPackets) }));
    const code = await showCommand(args, { env: {}, stdin: {}, stdout, stderr }, parts);
    expect([code, String(stderr.read())]).toEqual([
      1,
      'podcap: standard output cannot be written: ENOSPC: no space left on device, write\n',
    ]);
  },
);

test.each([
  [[], 'a capture file is required, or - for standard input'],
  [['a', 'tcp', 'port', '80'], 'a filter is one argument after --filter: "tcp port 80"'],
  [['a', '--count', '0'], '--count must be a whole number of lines, not "0"'],
  [['a', '-c', 'many'], '--count must be a whole number of lines, not "many"'],
  [['a', '--json'], 'unknown option --json'],
  [['a', '--filter'], "'--filter"],
])('%j is wrong usage', async (args, message) => {
  const { code, stdout, stderr, files } = await show(args, twoPackets);
  expect([code, stdout, files]).toEqual([2, '', []]);
  expect(stderr).toContain(message);
  expect(stderr).toContain('Try podcap show --help.');
});

test('does not wait for a capture that is typed on a terminal', async () => {
  const { code, stderr, files } = await show(['-'], twoPackets, { isTTY: true });
  expect([code, files]).toEqual([2, []]);
  expect(stderr).toContain('standard input is a terminal');
});

test('the help has every term of the filter language', async () => {
  const { code, stdout, stderr } = await show(['--help'], twoPackets);
  expect([code, stderr]).toEqual([0, '']);
  for (const { syntax } of filterTerms) expect(stdout).toContain(`  ${syntax}`);
});

test('ends quietly when the program that reads its lines ends', async () => {
  const program = `${import.meta.dirname}/testing/show-program.ts`;
  const child = spawn(process.execPath, [program, 'web.pcap'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const errors = child.stderr.toArray();
  const exited = once(child, 'exit');
  const [first] = await once(child.stdout, 'data');
  expect(String(first)).toMatch(/^1700000000\+0 us - 1 one of very many packets\n/);
  child.stdout.destroy();
  expect(await exited).toEqual([0, null]);
  expect(Buffer.concat(await errors).toString()).toBe('');
});

type Screen = { readonly isTTY?: boolean; readonly columns?: number };

/** Runs the command on this capture; `files` are those that it opened. */
async function show(args: readonly string[], capture: TestCapture, screen: Screen = {}) {
  const files: string[] = [];
  const parts = showParts(async (file) => {
    files.push(file);
    return { kind: 'capture', reader: readerOf(capture) };
  });
  return { ...(await run(args, parts, screen)), files };
}

async function run(args: readonly string[], parts: ShowParts, screen: Screen = {}) {
  const [stdout, stderr] = [
    Object.assign(new PassThrough(), screen),
    Object.assign(new PassThrough(), screen),
  ];
  const [outputs, errors] = [stdout.toArray(), stderr.toArray()];
  const code = await showCommand(args, { env: {}, stdin: screen, stdout, stderr }, parts);
  stdout.end();
  stderr.end();
  return {
    code,
    stdout: Buffer.concat(await outputs).toString(),
    stderr: Buffer.concat(await errors).toString(),
  };
}
