import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { built } from '../../../tools/go-program.ts';
import { readBytes } from '../../pcap/testing/read-capture.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { memoryDisk } from '../../testbed/test-disk.ts';
import { cliProgram, hubScene, type StreamAnswerer } from '../testing/hub-scene.ts';
import { recordingBytes } from '../testing/memory-streams.ts';
import { terminalShell } from '../testing/terminal-shell.ts';

// The first run builds kubectl, which takes minutes.
beforeAll(() => built('kubectl'), 1_200_000);

const sends =
  (bytes: Uint8Array): StreamAnswerer =>
  (stream) => {
    stream.data(bytes);
    stream.end();
  };

/** A part of it, and nothing more until the client is gone. */
const sendsPart =
  (bytes: Uint8Array): StreamAnswerer =>
  (stream) =>
    stream.data(bytes.subarray(0, bytes.length / 2));

async function dataIn(path: string): Promise<readonly string[]> {
  return (await readBytes(await readFile(path))).packets.map(({ data }) => data);
}

test('saves the recordings of two Pods, of the time that was asked for', async () => {
  await using folder = await temporaryFolder();
  await using hub = await hubScene({
    'web/log': [sends(recordingBytes('web', [1, 3]))],
    'db/log': [sends(recordingBytes('db', [2]))],
  });
  await using saving = hub.run(
    ['save', 'web', 'db', '--to', 'both.pcapng', '--since', '2026-01-31T12:00:00Z', '--frozen', 'all'],
    { cwd: folder.path },
  );
  expect(await saving.ended).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('saved 3 packets of'),
  });
  expect(await dataIn(join(folder.path, 'both.pcapng'))).toEqual(['web at 1', 'db at 2', 'web at 3']);
  expect(hub.asked()).toContain('captures/web/log?frozen=all&since=2026-01-31T12%3A00%3A00.000000000Z');
});

test('a connection that is cut starts over, also when the API server is gone for a moment', async () => {
  await using folder = await temporaryFolder();
  const whole = recordingBytes('web', [1, 3]);
  const isSent = Promise.withResolvers<void>();
  await using hub = await hubScene({
    'web/log': [
      (stream) => {
        stream.data(whole.subarray(0, 50));
        stream.cut();
      },
      (stream) => {
        stream.data(whole.subarray(0, 50));
        isSent.resolve();
      },
      (stream) => stream.refuse(503, 'ServiceUnavailable', 'the agent of Node n1 is not connected'),
      sends(whole),
    ],
  });
  await using saving = hub.run(['save', 'web', '--to', 'web.pcapng'], { cwd: folder.path });
  await isSent.promise;
  hub.cutAll();
  const { code, stderr } = await saving.ended;
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(await dataIn(join(folder.path, 'web.pcapng'))).toEqual(['web at 1', 'web at 3']);
  // A request whose answer has not begun is sent again by kubectl itself.
  expect(stderr.match(/it is started over in/g)?.length).toBeGreaterThanOrEqual(2);
});

test('a file is named after the Pod and the time, however long the name of the Pod is', async () => {
  await using folder = await temporaryFolder();
  const pod = Array.from({ length: 4 }, () => 'p'.repeat(62)).join('.');
  await using hub = await hubScene({ [`${pod}/log`]: [sends(recordingBytes('web', [1]))] });
  await using saving = hub.run(['save', pod], { cwd: folder.path });
  expect(await saving.ended).toMatchObject({ code: 0 });
  const [name = ''] = await readdir(folder.path);
  expect(name).toMatch(/^p{62}\.p+.*-\d{8}T\d{6}Z\.pcapng$/);
});

test('Ctrl-C at a terminal leaves nothing, and the rate is shown there', async () => {
  await using folder = await temporaryFolder();
  await using hub = await hubScene({
    'web/log': [sendsPart(new Uint8Array(3_000_000))],
  });
  await using shell = terminalShell('bash --norc', hub.env);
  shell.type(`cd ${folder.path}; ${cliProgram.join(' ')} save web --to web.pcapng; echo "ended with $?"\n`);
  await shell.shows('saving: 2 MB');
  expect(await readdir(folder.path)).toEqual(['web.pcapng.part']);
  shell.type('\u0003');
  await shell.shows('interrupted: nothing was saved');
  await shell.shows('ended with 130');
  expect(await readdir(folder.path)).toEqual([]);
});

test('a disk that is full is said, and nothing is left on it', async () => {
  await using disk = await memoryDisk(1);
  await using hub = await hubScene({
    'web/log': [sends(new Uint8Array(900_000))],
    'db/log': [sends(new Uint8Array(900_000))],
  });
  await using saving = hub.run(['save', 'web', 'db', '--to', join(disk.path, 'both.pcapng')]);
  const { code, stderr } = await saving.ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^podcap: a download cannot be kept in .* \(ENOSPC: .*\): until the file is complete/,
  );
  expect(await readdir(disk.path)).toEqual([]);
});

test('where standard output is written, a full disk is that of TMPDIR', async () => {
  await using disk = await memoryDisk(1);
  await using hub = await hubScene({ 'web/log': [sends(new Uint8Array(1_900_000))] });
  await using saving = hub.run(['save', 'web', '--to', '-'], { env: { TMPDIR: disk.path } });
  const { code, stdout, stderr } = await saving.ended;
  expect([code, stdout.length]).toEqual([1, 0]);
  expect(stderr).toContain(`a download cannot be kept in ${disk.path} (ENOSPC`);
  expect(stderr).toContain('Set TMPDIR to a folder with more space');
});

test('a user who may not download is told so by the hub', async () => {
  const message =
    'you may see captures in shop, but not download them: verb download on captures.podcap.dev in namespace shop';
  await using hub = await hubScene({ 'web/log': [(stream) => stream.refuse(403, 'Forbidden', message)] });
  await using saving = hub.run(['save', 'web', '--to', 'web.pcapng']);
  const { code, stderr } = await saving.ended;
  expect(code).toBe(1);
  expect(stderr).toContain(`podcap: nothing was saved\n  web is not in it: ${message}\n`);
});

test('a reader that closes the pipe ends it without a word', async () => {
  await using hub = await hubScene({
    'web/log': [
      sends(
        recordingBytes(
          'web',
          Array.from({ length: 9_999 }, () => 1),
        ),
      ),
    ],
  });
  await using saving = hub.run(['save', 'web', '--to', '-']);
  saving.child.stdout.destroy();
  expect(await saving.ended).toMatchObject({ code: 0, stderr: '' });
});
