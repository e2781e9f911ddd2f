import { readlink } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import { compileDrain, compileEnter } from '../../lab/compile.ts';
import { networkLab } from '../../lab/network.ts';
import { run } from '../../lab/run.ts';

const ourNetwork = '/proc/self/ns/net';
const netRaw = (1 << 13).toString(16).padStart(16, '0');

let enter: string;
let library: string;

beforeAll(async () => {
  [enter, library] = await Promise.all([compileEnter(), compileDrain()]);
});

test('the program is in that network, with NET_RAW and its library alone', async () => {
  await using lab = await networkLab();
  const args = [`${process.pid}`, lab.netns, '10001', library];
  const [status, maps, network] = await Promise.all(
    [
      ['cat', '/proc/self/status'],
      ['cat', '/proc/self/maps'],
      ['readlink', '/proc/self/ns/net'],
    ].map((command) => run([enter, ...args, ...command])),
  );
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
    expect(status).toMatch(new RegExp(`^${set}:\\s${netRaw}$`, 'm'));
  }
  for (const id of ['Uid', 'Gid']) expect(status).toMatch(new RegExp(`^${id}:(\\s10001){4}$`, 'm'));
  expect(status).toMatch(/^Groups:\s*$/m);
  expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  expect(maps).toContain(library);
  expect(network?.trim()).not.toBe(await readlink(ourNetwork));
});

test('hands its arguments on as they are', async () => {
  const hostile = ['-n', '--help', 'a b', '$(id)', '', '\n'];
  const args = [`${process.pid}`, ourNetwork, '10001', library, 'printf', '%s;', ...hostile];
  expect(await run([enter, ...args])).toBe(`${hostile.join(';')};`);
});

test.each<[string, { parent?: string; netns?: string; user?: string; library?: string; program?: string }]>([
  ['1: No such process', { parent: '1' }],
  ['/nowhere: No such file or directory', { netns: '/nowhere' }],
  ['/etc/passwd: Invalid argument', { netns: '/etc/passwd' }],
  ['0: Invalid argument', { user: '0' }],
  ['-1: Invalid argument', { user: '-1' }],
  ['4294967296: Invalid argument', { user: '4294967296' }],
  ['10001x: Invalid argument', { user: '10001x' }],
  [': Invalid argument', { user: '' }],
  ['/nowhere.so: No such file or directory', { library: '/nowhere.so' }],
  ['/no/program: No such file or directory', { program: '/no/program' }],
])('says "%s", and runs nothing', async (problem, given) => {
  const asked = {
    parent: `${process.pid}`,
    netns: ourNetwork,
    user: '10001',
    library,
    program: 'id',
    ...given,
  };
  const args = [asked.parent, asked.netns, asked.user, asked.library, asked.program];
  await expect(run([enter, ...args])).rejects.toMatchObject({
    code: 1,
    stdout: '',
    stderr: `podcap-enter: ${problem}\n`,
  });
});

test('says how it is used', async () => {
  await expect(run([enter, ourNetwork])).rejects.toMatchObject({
    code: 1,
    stderr: 'usage: podcap-enter PARENT NETNS USER LIBRARY PROGRAM [ARGUMENT...]\n',
  });
});
