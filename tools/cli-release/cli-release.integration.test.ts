import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cliCommands } from '../../src/cli/cli-commands.ts';
import { commandHelp } from '../../src/cli/help/command-help.ts';
import { kubectlScene, sendObject } from '../../src/cli/kubectl/testing/kubectl-scene.ts';
import { clientVersion } from '../../src/cli/version/client-version.ts';
import { captureFile } from '../../src/pcap/testing/capture-files.ts';
import { listenOnLoopback } from '../../src/testbed/loopback-port.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { buildCli } from '../build-cli.ts';
import { built } from '../go-program.ts';
import { checkout } from '../target.ts';
import { krewManifest, type ReleasedArchive } from './krew-manifest.ts';
import { executableRuntimes, fetchRuntime, oldestRuntimes, ownRuntime } from './node-runtimes.ts';
import { packNpm } from './npm-package.ts';
import { buildExecutable } from './single-executable.ts';

const execute = promisify(execFile);
const opened = new AsyncDisposableStack();
let folder: string;
/** PATH with the npm package, installed, and the oldest Node.js that it names. */
let oldPath: string;
let kubectl: string;
let krew: string;
let validate: string;

beforeAll(async () => {
  folder = opened.use(await temporaryFolder()).path;
  const packed = await packNpm(folder);
  const prefix = join(folder, 'prefix');
  await execute('npm', ['install', '--global', `--prefix=${prefix}`, '--offline', '--no-audit', packed]);
  const bin = join(folder, 'old-node');
  await mkdir(bin);
  await symlink((await fetchRuntime(ownRuntime(oldestRuntimes))).node, join(bin, 'node'));
  oldPath = `${bin}:${prefix}/bin:/usr/bin:/bin`;
  [kubectl, krew, validate] = [
    await built('kubectl'),
    await built('krew'),
    await built('validate-krew-manifest'),
  ];
});

afterAll(async () => {
  await opened.disposeAsync();
});

test('the npm package runs on the oldest Node.js that it names', async () => {
  const env = { PATH: oldPath };
  const { stdout: engine } = await execute('node', ['--version'], { env });
  expect(engine).toMatch(/^v20\./);
  const version = await execute('kubectl-podcap', ['version', '--client'], { env });
  expect(version.stdout).toBe(`kubectl podcap  ${clientVersion}, on Node.js ${engine.slice(1)}`);
  for (const command of cliCommands) {
    const help = await execute('kubectl-podcap', [command.name, '--help'], { env });
    expect(help.stdout).toBe(commandHelp(command));
  }
  const completed = await execute('kubectl_complete-podcap', ['versio'], { env });
  expect(completed.stdout).toMatch(/^version\t/);
  const licenses = `${folder}/prefix/lib/node_modules/kubectl-podcap/third-party-licenses.txt`;
  expect(await readFile(licenses, 'utf8')).toContain('== valibot (MIT)');
});

test.for([
  ['18.20.8', 1],
  ['20.0.0', 1],
  ['20.3.1', 1],
  ['20.4.0', 0],
  ['22.1.0', 0],
] as const)('whether Node.js %s is new enough is said at once', async ([version, code]) => {
  const installed = `${folder}/prefix/lib/node_modules/kubectl-podcap/cli/kubectl-podcap.cjs`;
  const script = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });
    process.argv.push('version', '--client');
    require('${installed}');`;
  const ran = execute('node', ['--eval', script, '--', 'podcap'], { env: { PATH: oldPath } });
  const ended = await ran.then(
    () => ({ code: 0, stderr: '' }),
    (error: { readonly code: number; readonly stderr: string }) => error,
  );
  expect(ended.stderr).toMatch(code === 0 ? /^$/ : /^podcap: kubectl podcap needs Node[.]js 20[.]4 or later/);
  expect(ended.code).toBe(code);
});

test('Node.js says nothing of its own there, whatever the command', async () => {
  const notFound = { kind: 'Status', reason: 'NotFound', code: 404, message: 'not found' };
  await using scene = await kubectlScene((_, response) => sendObject(response, notFound, 404));
  const env = { ...scene.kubectl.env, PATH: `${dirname(scene.kubectl.program)}:${oldPath}` };
  const pods = Array.from({ length: 20 }, (_, at) => `web-${at}`);
  for (const args of [
    ['check'],
    ['list', ...pods],
    ['save', ...pods],
    ['start', ...pods],
    ['stop', ...pods],
    ['freeze', ...pods],
    ['discard', '--yes', ...pods],
    ['live', ...pods],
    ['version'],
  ]) {
    const ran = execute('kubectl-podcap', args, { env, cwd: folder });
    const { stderr } = await ran.catch((error: { readonly stderr: string }) => error);
    expect.soft(stderr, args[0]).not.toMatch(/\(node:|Warning: /);
  }
  expect(scene.requests.length).toBeGreaterThan(20);
});

test('it merges and shows captures there', async () => {
  const [one, two] = [1, 2].map((second) => captureFile([{ timeUs: second * 1e6, data: ethernetArp }]));
  await writeFile(join(folder, 'one.pcap'), one ?? '');
  await writeFile(join(folder, 'two.pcap'), two ?? '');
  const options = { env: { PATH: oldPath }, cwd: folder };
  await execute('kubectl-podcap', ['merge', 'two.pcap', 'one.pcap', '--to', 'both.pcapng'], options);
  const { stdout } = await execute('kubectl-podcap', ['show', 'both.pcapng', '--filter', 'arp'], options);
  expect(stdout.trimEnd().split('\n')).toEqual([
    expect.stringMatching(/00:00:01\.000000.*ARP/),
    expect.stringMatching(/00:00:02\.000000.*ARP/),
  ]);
});

/** Who has 10.0.0.2? */
const ethernetArp = Buffer.from(
  'ffffffffffff020000000001080600010800060400010200000000010a0000010000000000000a000002',
  'hex',
);

test('the single executable of this platform runs without Node.js', async () => {
  const runtime = ownRuntime(executableRuntimes);
  await buildCli(join(folder, 'single'));
  const outfile = join(folder, 'single/executable');
  await buildExecutable(join(folder, 'single/cli/kubectl-podcap.cjs'), runtime, outfile);
  const env = { PATH: '/nowhere', NODE_OPTIONS: '--no-such-option' };
  const { stdout } = await execute(outfile, ['version', '--client'], { env });
  expect(stdout).toBe(`kubectl podcap  ${clientVersion}, on Node.js ${runtime.version}\n`);
});

/** Archives as those of the release, with the program for Node.js in the place of the executables. */
async function smallArchive(): Promise<string> {
  const content = join(folder, 'archive');
  await buildCli(join(folder, 'archived'));
  await mkdir(content, { recursive: true });
  await copyFile(join(folder, 'archived/cli/kubectl-podcap.cjs'), join(content, 'kubectl-podcap'));
  await copyFile(`${checkout}/LICENSE`, join(content, 'LICENSE'));
  const path = join(folder, 'archive.tar.gz');
  await execute('tar', ['--create', '--gzip', `--file=${path}`, `--directory=${content}`, '.']);
  return path;
}

async function servedArchives(): Promise<
  { readonly archives: readonly ReleasedArchive[] } & AsyncDisposable
> {
  const bytes = await readFile(await smallArchive());
  const server = createServer((_, response) => response.end(bytes));
  const port = await listenOnLoopback(server);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const url = `http://127.0.0.1:${port}/archive.tar.gz`;
  return {
    archives: executableRuntimes.map(({ os, cpu }) => ({ os, cpu, url, sha256 })),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

const release = { version: clientVersion, homepage: 'https://podcap.example' };

async function withKrew(program: string, args: readonly string[]) {
  const bin = join(folder, 'krew-path');
  await mkdir(bin, { recursive: true });
  await symlink(kubectl, join(bin, 'kubectl')).catch(() => {});
  await symlink(krew, join(bin, 'kubectl-krew')).catch(() => {});
  const root = join(folder, 'krew-root');
  const env = {
    PATH: `${bin}:${root}/bin:${process.env['PATH']}`,
    HOME: folder,
    KREW_ROOT: root,
    KREW_NO_UPGRADE_CHECK: '1',
  };
  return await execute(program, args, { env });
}

test("krew's own validation accepts the manifest and installs every platform of it", async () => {
  await using served = await servedArchives();
  const manifest = join(folder, 'podcap.yaml');
  await writeFile(manifest, krewManifest(served.archives, release));
  const { stderr } = await withKrew(validate, ['-manifest', manifest]);
  expect(stderr).toContain(`all ${executableRuntimes.length} spec.platforms installed fine`);
});

test('what krew installs is kubectl podcap', async () => {
  await using served = await servedArchives();
  const manifest = join(folder, 'podcap.yaml');
  await writeFile(manifest, krewManifest(served.archives, release));
  await withKrew('kubectl', ['krew', 'install', `--manifest=${manifest}`]);
  const { stdout } = await withKrew('kubectl', ['podcap', 'version', '--client']);
  expect(stdout).toContain(`kubectl podcap  ${clientVersion}`);
});

test.each([
  ['a version that is none', { version: 'latest' }, 'failed to parse plugin version'],
  ['a homepage on two lines', { homepage: 'a\n  b: c' }, 'failed to read plugin file'],
])("krew's validation refuses %s", async (_, mistake, message) => {
  const archives = executableRuntimes.map(({ os, cpu }) => ({
    os,
    cpu,
    url: 'https://a',
    sha256: '0'.repeat(64),
  }));
  const manifest = join(folder, 'podcap.yaml');
  await writeFile(manifest, krewManifest(archives, { ...release, ...mistake }));
  await expect(withKrew(validate, ['-skip-install', '-manifest', manifest])).rejects.toThrow(message);
});
