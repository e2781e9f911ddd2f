import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { indexCount, ringFileBase, ringFileName } from '../agent/storage/file-names.ts';
import { captureFile, microseconds } from '../pcap/testing/capture-files.ts';
import { run } from '../testbed/run-program.ts';
import { readCommand } from './read.ts';
import { packets, readScene, web } from './testing/read-scene.ts';

const nameOf = (index: number) => ringFileName(ringFileBase(web.pod, 1), index);

describe('podcap read', () => {
  test('writes the files in the order of the ring, though the indices wrapped around', async () => {
    await using scene = await readScene();
    for (const [at, index] of [indexCount - 3, indexCount - 2, indexCount - 1, 0, 1].entries())
      await scene.file({ index, packets: packets(10 * at, 10) });
    expect(await scene.read(['default/web', '--format', 'pcap'])).toEqual({
      code: 0,
      stdout: captureFile(packets(0, 50)),
      stderr: '',
    });
  });

  // tcpdump's user may write into the folder: anyone who takes over tcpdump can leave anything there.
  test.each([
    ['a link', 'is a link', (path: string) => symlink('/etc/hostname', path)],
    ['a link to itself', 'is a link', (path: string) => symlink(path, path)],
    ['a named pipe', 'is not a regular file', (path: string) => run(['mkfifo', path])],
    ['a folder', undefined, (path: string) => mkdir(path)],
  ])('writes the other files where %s has the name of a file', async (_what, why, make) => {
    await using scene = await readScene();
    for (const index of [0, 2]) await scene.file({ index, packets: packets(10 * index, 10) });
    const path = join(scene.pathOf(), nameOf(1));
    await make(path);
    const { code, stdout, stderr } = await scene.read(['default/web', '--format', 'pcap']);
    expect({ code, stdout }).toEqual({
      code: why === undefined ? 0 : 3,
      stdout: captureFile([...packets(0, 10), ...packets(20, 10)]),
    });
    expect(stderr.trimEnd()).toBe(why === undefined ? '' : `podcap: ${path} ${why}`);
  });

  test('writes one generation after the other, and packets that both have once', async () => {
    await using scene = await readScene();
    await scene.file({ index: 4, packets: packets(0, 200) });
    await scene.file({ index: 5, packets: packets(200, 200) });
    await scene.file({ generation: 2, index: 0, packets: packets(150, 150) });
    await scene.file({ generation: 2, index: 1, packets: packets(300, 300) });
    await scene.file({ generation: 10, index: 0, packets: packets(10_000, 5) });
    for (const generation of [1, 2, 10]) await scene.record({ generation });
    const { stdout } = await scene.read(['default/web', '--format', 'pcap']);
    expect(stdout).toEqual(captureFile([...packets(0, 600), ...packets(10_000, 5)]));
    const second = await scene.read(['default/web', '--format', 'pcap', '--generation', '2']);
    expect(second.stdout).toEqual(captureFile(packets(150, 450)));
  });

  test('treats packets of two interfaces as different', async () => {
    await using scene = await readScene();
    await scene.file({ index: 0, packets: packets(0, 9) });
    await scene.file({ generation: 2, index: 0, packets: packets(0, 9) });
    await scene.record({ generation: 1 });
    await scene.record({ generation: 2, interface: 'net1' });
    const { stdout } = await scene.read(['default/web', '--format', 'pcap']);
    // In the order of time, because the two captured at the same time.
    expect(stdout).toEqual(captureFile(packets(0, 9).flatMap((packet) => [packet, packet])));
  });

  test('reads the Pod captured last if several had that name, and prints the others', async () => {
    await using scene = await readScene();
    const older = { ...web, uid: 'older' };
    await scene.file({ index: 0, packets: packets(0, 1) }, older);
    await scene.record({ startTime: '2026-01-01T00:00:00.000Z', endTime: '2026-01-01T01:00:00.000Z' }, older);
    await scene.file({ index: 0, packets: packets(5, 1) });
    await scene.record({ startTime: '2026-01-02T00:00:00.000Z' });
    await scene.file({ index: 0, packets: packets(9, 1) }, { ...web, namespace: 'other', uid: 'x' });

    const newest = await scene.read(['default/web', '--format', 'pcap']);
    expect(newest.stdout).toEqual(captureFile(packets(5, 1)));
    expect(newest.stderr).toContain(`--uid ${web.uid}  default/web captured 2026-01-02T00:00:00.000Z to now`);
    expect(newest.stderr).toContain('--uid older');
    expect((await scene.read(['--uid', 'older', '--format', 'pcap'])).stdout).toEqual(
      captureFile(packets(0, 1)),
    );
  });

  test('skips files that are not capture files, which is told, and an incomplete last record', async () => {
    await using scene = await readScene();
    await scene.file({ index: 0, packets: packets(0, 2) });
    await scene.file({ index: 2, packets: packets(2, 2) });
    await writeFile(join(scene.pathOf(), nameOf(1)), 'not a capture file');
    const bytes = captureFile(packets(4, 2));
    await writeFile(join(scene.pathOf(), nameOf(3)), bytes.subarray(0, bytes.length - 1));
    await writeFile(join(scene.pathOf(), nameOf(4)), '');
    const { code, stdout, stderr } = await scene.read(['default/web', '--format', 'pcap']);
    expect({ code, stdout }).toEqual({ code: 3, stdout: captureFile(packets(0, 5)) });
    expect(stderr).toMatch(/captres-web\.1\.pcap000000001 is not a pcap file/);
  });

  test('refuses to write two link types to one file, and prints how to read each', async () => {
    await using scene = await readScene();
    await scene.file({ index: 0, packets: packets(0, 1) });
    const header = { ...microseconds, linkType: 113 };
    await scene.file({ generation: 2, index: 0, packets: packets(0, 1), header });
    const { code, stdout, stderr } = await scene.read(['default/web', '--format', 'pcap']);
    expect([code, stdout.length]).toEqual([1, 0]);
    expect(stderr).toContain('--generation 1  link type 1\n');
    expect(stderr).toContain('--generation 2  link type 113\n');
    expect((await scene.read(['default/web', '--format', 'pcap', '--generation', '2'])).code).toBe(0);
  });

  test('ends quietly when the reader has closed the pipe', async () => {
    await using scene = await readScene();
    await scene.file({ index: 0, packets: packets(0, 20_000) });
    let writes = 0;
    const stdout = new Writable({
      write(_chunk, _encoding, done) {
        writes += 1;
        done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
      },
    });
    const stderr = new PassThrough();
    const env = { PODCAP_CAPTURES_FOLDER: scene.path };
    expect(await readCommand(['default/web'], { env, stdout, stderr })).toBe(0);
    expect([writes, stderr.read()]).toEqual([1, null]);
  });

  test.each([
    [['default/api'], 1, 'no capture of default/api on this Node: podcap list shows the captures'],
    [['--uid', 'abc'], 1, 'no capture of UID abc on this Node'],
    [['default/web', '--generation', '7'], 1, 'no generation 7: this Pod has 1'],
    [['default/web', '--captures-folder', '/nowhere'], 1, 'the captures folder /nowhere does not exist'],
    [[], 2, 'either one <namespace>/<pod> or --uid <uid> is required'],
    [['default/web', '--uid', 'abc'], 2, 'either one <namespace>/<pod> or --uid <uid> is required'],
    [['a/b', 'c/d'], 2, 'either one <namespace>/<pod>'],
    [['web'], 2, 'the Pod must be <namespace>/<pod>, such as default/web, not "web"'],
    [['default/../web'], 2, 'the Pod must be <namespace>/<pod>, such as default/web, not "default/../web"'],
    [['--uid', '../x'], 2, '--uid must be the UID of a Pod, not "../x"'],
    [['default/web', '--generation', 'two'], 2, '--generation must be a whole number, not "two"'],
    [['default/web', '--captures-folder', 'x'], 2, 'must be an absolute path, not "x"'],
    [['default/web', '--follow'], 2, 'unknown option --follow'],
  ])('%j exits with %i and prints why', async (args, code, message) => {
    await using scene = await readScene();
    await scene.file({ index: 0, packets: packets(0, 1) });
    const ran = await scene.read(args);
    expect(ran).toMatchObject({ code, stderr: expect.stringContaining(message) });
    expect(ran.stdout).toHaveLength(0);
  });

  test('writes nothing but its help to a terminal', async () => {
    await using scene = await readScene();
    await scene.file({ index: 0, packets: packets(0, 1) });
    expect(await scene.read(['default/web', '--format', 'pcap'], { isTTY: true })).toMatchObject({ code: 2 });
    const help = await scene.read(['--help'], { isTTY: true });
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout.toString()).toContain('podcap read <namespace>/<pod>');
  });

  test('reports that there is no capture file yet', async () => {
    await using scene = await readScene();
    await scene.record({});
    expect(await scene.read(['default/web', '--format', 'pcap'])).toMatchObject({
      code: 1,
      stderr: 'podcap: there is no capture file yet\n',
    });
  });
});
