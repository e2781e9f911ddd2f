import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { captureFile, microseconds } from '../pcap/testing/capture-files.ts';
import { readCommand } from './read.ts';
import { packets, readScene, web } from './testing/read-scene.ts';

describe('podcap read', () => {
  test('gives the files in the order of the ring, though the indices came round', async () => {
    await using scene = await readScene();
    for (const [at, index] of [197, 198, 199, 0, 1].entries())
      await scene.file({ index, packets: packets(10 * at, 10) });
    expect(await scene.read(['default/web'])).toEqual({
      code: 0,
      stdout: captureFile(packets(0, 50)),
      stderr: '',
    });
  });

  test('gives one generation after the other, what both have once', async () => {
    await using scene = await readScene();
    await scene.file({ index: 4, packets: packets(0, 200) });
    await scene.file({ index: 5, packets: packets(200, 200) });
    await scene.file({ generation: 2, index: 0, packets: packets(150, 150) });
    await scene.file({ generation: 2, index: 1, packets: packets(300, 300) });
    await scene.file({ generation: 10, index: 0, packets: packets(10_000, 5) });
    for (const generation of [1, 2, 10]) await scene.record({ generation });
    const { stdout } = await scene.read(['default/web']);
    expect(stdout).toEqual(captureFile([...packets(0, 600), ...packets(10_000, 5)]));
    const second = await scene.read(['default/web', '--generation', '2']);
    expect(second.stdout).toEqual(captureFile(packets(150, 450)));
  });

  test('takes two interfaces for different packets', async () => {
    await using scene = await readScene();
    await scene.file({ index: 0, packets: packets(0, 9) });
    await scene.file({ generation: 2, index: 0, packets: packets(0, 9) });
    await scene.record({ generation: 1 });
    await scene.record({ generation: 2, interface: 'net1' });
    const { stdout } = await scene.read(['default/web']);
    expect(stdout).toEqual(captureFile([...packets(0, 9), ...packets(0, 9)]));
  });

  test('of several Pods of a name reads the one captured last, and names the others', async () => {
    await using scene = await readScene();
    const older = { ...web, uid: 'older' };
    await scene.file({ index: 0, packets: packets(0, 1) }, older);
    await scene.record({ startTime: '2026-01-01T00:00:00.000Z', endTime: '2026-01-01T01:00:00.000Z' }, older);
    await scene.file({ index: 0, packets: packets(5, 1) });
    await scene.record({ startTime: '2026-01-02T00:00:00.000Z' });
    await scene.file({ index: 0, packets: packets(9, 1) }, { ...web, namespace: 'other', uid: 'x' });

    const newest = await scene.read(['default/web']);
    expect(newest.stdout).toEqual(captureFile(packets(5, 1)));
    expect(newest.stderr).toContain(`--uid ${web.uid}  default/web captured 2026-01-02T00:00:00.000Z to now`);
    expect(newest.stderr).toContain('--uid older');
    expect((await scene.read(['--uid', 'older'])).stdout).toEqual(captureFile(packets(0, 1)));
  });

  test('leaves out files that are none, and an end that is no whole record', async () => {
    await using scene = await readScene();
    await scene.file({ index: 0, packets: packets(0, 2) });
    await scene.file({ index: 2, packets: packets(2, 2) });
    await writeFile(join(scene.pathOf(), 'captres-web.1.pcap001'), 'not a capture file');
    const bytes = captureFile(packets(4, 2));
    await writeFile(join(scene.pathOf(), 'captres-web.1.pcap003'), bytes.subarray(0, bytes.length - 1));
    await writeFile(join(scene.pathOf(), 'captres-web.1.pcap004'), '');
    const { code, stdout, stderr } = await scene.read(['default/web']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: captureFile(packets(0, 5)) });
    expect(stderr).toMatch(/captres-web\.1\.pcap001 is not a pcap file/);
  });

  test('refuses to put two link types into one file, and says how to read each', async () => {
    await using scene = await readScene();
    await scene.file({ index: 0, packets: packets(0, 1) });
    const header = { ...microseconds, linkType: 113 };
    await scene.file({ generation: 2, index: 0, packets: packets(0, 1), header });
    const { code, stdout, stderr } = await scene.read(['default/web']);
    expect([code, stdout.length]).toEqual([1, 0]);
    expect(stderr).toContain('--generation 1  link type 1\n');
    expect(stderr).toContain('--generation 2  link type 113\n');
    expect((await scene.read(['default/web', '--generation', '2'])).code).toBe(0);
  });

  test('ends quietly when nobody reads any more', async () => {
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
    [['default/api'], 1, 'nothing is kept of default/api on this Node: podcap list says of which'],
    [['--uid', 'abc'], 1, 'nothing is kept of UID abc on this Node'],
    [['default/web', '--generation', '7'], 1, 'no generation 7, but 1'],
    [['default/web', '--captures-folder', '/nowhere'], 1, '/nowhere is no folder of captures'],
    [[], 2, 'either one <namespace>/<pod> or --uid <uid> is allowed'],
    [['default/web', '--uid', 'abc'], 2, 'either one <namespace>/<pod> or --uid <uid> is allowed'],
    [['a/b', 'c/d'], 2, 'either one <namespace>/<pod>'],
    [['web'], 2, '"web" is not allowed: <namespace>/<pod> is'],
    [['default/../web'], 2, '"default/../web" is not allowed'],
    [['--uid', '../x'], 2, '--uid: "../x" is not allowed'],
    [['default/web', '--generation', 'two'], 2, '--generation: "two" is not allowed: a whole number is'],
    [['default/web', '--captures-folder', 'x'], 2, '"x" is not allowed: an absolute path is'],
    [['default/web', '--follow'], 2, "'--follow'"],
  ])('%j ends with %i and says why', async (args, code, message) => {
    await using scene = await readScene();
    await scene.file({ index: 0, packets: packets(0, 1) });
    const ran = await scene.read(args);
    expect(ran).toMatchObject({ code, stderr: expect.stringContaining(message) });
    expect(ran.stdout).toHaveLength(0);
  });

  test('writes nothing to a terminal but its help', async () => {
    await using scene = await readScene();
    await scene.file({ index: 0, packets: packets(0, 1) });
    expect(await scene.read(['default/web'], { isTTY: true })).toMatchObject({ code: 2 });
    const help = await scene.read(['--help'], { isTTY: true });
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout.toString()).toContain('podcap read <namespace>/<pod>');
  });

  test('says so when no file is there yet', async () => {
    await using scene = await readScene();
    await scene.record({});
    expect(await scene.read(['default/web'])).toMatchObject({
      code: 1,
      stderr: 'podcap: no capture file is there yet\n',
    });
  });
});
