import { mkdir, readdir, symlink } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { captureBytes } from '../pcap/testing/capture-bytes.ts';
import { linesOf, mergeScene } from './testing/merge-scene.ts';

const { header, record, section, interfaceBlock, packet, option, block, u32 } = captureBytes('little');
const at = (seconds: number, data = `at ${seconds}`) => record({ seconds, data: Buffer.from(data) });

test('writes the packets of all files in time order, each with its interface', async () => {
  await using scene = await mergeScene();
  await scene.file('web.pcap', header(), at(10), at(30));
  await scene.file('db.pcap', header(), at(20), at(40));
  const ran = await scene.merge([':web.pcap', ':db.pcap', '--to', ':both.pcapng']);
  expect(ran).toMatchObject({ code: 0, stdout: Buffer.alloc(0) });
  expect(ran.stderr).toMatch(/^podcap: wrote 4 packets of 2 captures to .*both\.pcapng in \d+\.\d s\n$/);
  expect(linesOf(await scene.read('both.pcapng'))).toEqual([
    'web.pcap at 10',
    'db.pcap at 20',
    'web.pcap at 30',
    'db.pcap at 40',
  ]);
});

test('an interface of pcapng keeps what its file says about it, and what it counted', async () => {
  await using scene = await mergeScene();
  const described = interfaceBlock({
    options: Buffer.concat([
      option(1, 'a comment'),
      option(2, 'shop/web/eth0'),
      option(3, 'Node a'),
      option(4, Buffer.from([10, 0, 0, 1, 255, 255, 255, 255])),
      option(11, '\0tcp port 80'),
      option(14, Buffer.from([2, 0, 0, 0, 0, 0, 0, 0])),
    ]),
  });
  const counted = (received: number, dropped: number) =>
    block(5, Buffer.concat([u32(0), u32(0), u32(0), count(4, received), count(5, dropped)]));
  await scene.file('a.pcapng', section(), described, packet({ low: 1 }), counted(7, 2));
  await scene.file('b.pcapng', section(), described, packet({ low: 2 }), counted(5, 1));
  await scene.merge([':a.pcapng', ':b.pcapng', '--to', ':both.pcapng']);
  const { interfaces, received, packets } = await scene.read('both.pcapng');
  expect(interfaces).toMatchObject([
    {
      name: 'shop/web/eth0',
      description: 'Node a',
      comment: 'a comment',
      filter: 'tcp port 80',
      addresses: ['10.0.0.1'],
      offsetSeconds: 2n,
    },
  ]);
  expect([received, packets.length]).toEqual([[{ received: 12, dropped: 3 }], 2]);
});

test('a capture without packets keeps its interface, and what it counted', async () => {
  await using scene = await mergeScene();
  const counted = block(5, Buffer.concat([u32(0), u32(0), u32(0), count(4, 100), count(5, 99)]));
  const idle = interfaceBlock({ options: option(2, 'shop/idle/eth0') });
  await scene.file('idle.pcapng', section(), idle, counted);
  await scene.file('a.pcap', header(), at(10));
  await scene.merge([':idle.pcapng', ':a.pcap', '--to', ':both.pcapng']);
  const { interfaces, received } = await scene.read('both.pcapng');
  expect(interfaces.map(({ name }) => name)).toEqual(['a.pcap', 'shop/idle/eth0']);
  expect(received[1]).toEqual({ received: 100, dropped: 99 });
  await scene.merge([':idle.pcapng', '--to', ':none.pcapng']);
  expect((await scene.read('none.pcapng')).received).toEqual([{ received: 100, dropped: 99 }]);
});

test('files of one ring are one interface, and equal names in two folders are two', async () => {
  await using scene = await mergeScene();
  for (const folder of ['a', 'b']) await mkdir(scene.pathOf(folder));
  for (const [seconds, name] of ['a/x.pcap0', 'a/x.pcap1', 'b/x.pcap0'].entries())
    await scene.file(name, header(), at(seconds));
  await scene.merge([':a/x.pcap0', ':a/x.pcap1', ':b/x.pcap0', '--to', ':all.pcapng']);
  const { interfaces } = await scene.read('all.pcapng');
  expect(interfaces.map(({ name }) => name)).toEqual([scene.pathOf('a/x.pcap'), scene.pathOf('b/x.pcap')]);
});

test('reports packets whose clock was set back, and keeps their order and their times', async () => {
  await using scene = await mergeScene();
  await scene.file('a.pcap', header(), at(10), at(50), at(20));
  await scene.file('b.pcap', header(), at(40), at(60));
  const { code, stderr } = await scene.merge([':a.pcap', ':b.pcap', '--to', ':both.pcapng']);
  expect([code, stderr]).toEqual([
    0,
    expect.stringContaining(
      'a.pcap: the time steps back once: 1 packet with an earlier time than one before, by at most 30 s; the order of the file stays\n',
    ),
  ]);
  const order = linesOf(await scene.read('both.pcapng')).map((line) => line.split(' ').at(-1));
  expect(order).toEqual(['10', '40', '50', '20', '60']);
});

test('leaves out what is not in the range of time', async () => {
  await using scene = await mergeScene();
  await scene.file('a.pcap', header(), at(10), at(20), record({ seconds: 30, fraction: 0 }), at(30));
  const range = ['--since', '1970-01-01T00:00:20Z', '--until', '1970-01-01T00:00:30.000005Z'];
  await scene.merge([':a.pcap', ...range, '--to', ':some.pcapng']);
  const { packets } = await scene.read('some.pcapng');
  expect(packets.map(({ seconds, nanoseconds }) => [seconds, nanoseconds])).toEqual([
    [20, 5_000],
    [30, 0],
  ]);
});

test('writes pcap of one link type; of two, nothing, and names both', async () => {
  await using scene = await mergeScene();
  await scene.file('a.pcap', header(), at(10));
  await scene.file('b.pcap', header(), at(5));
  await scene.file('cooked.pcap', header({ network: 113 }), at(20));
  expect(await scene.merge([':a.pcap', ':b.pcap', '--format', 'pcap', '--to', ':ab.pcap'])).toMatchObject({
    code: 0,
  });
  expect(await scene.bytes('ab.pcap')).toEqual(Buffer.concat([header(), at(5), at(10)]));
  expect(
    await scene.merge([':a.pcap', ':cooked.pcap', '--format', 'pcap', '--to', ':all.pcap']),
  ).toMatchObject({
    code: 1,
    stderr:
      'podcap: pcap has one link type for all packets, but a.pcap has Ethernet (link type 1) and cooked.pcap has ' +
      'Linux cooked v1 (link type 113): write pcapng\n',
  });
  expect((await readdir(scene.path)).filter((name) => name.startsWith('all'))).toEqual([]);
});

test('reads standard input', async () => {
  await using scene = await mergeScene();
  await scene.file('a.pcap', header(), at(10), at(30));
  const stdin = Readable.from([header(), at(20)]);
  const { code, stdout } = await scene.merge(['-', ':a.pcap', '--to', '-'], { stdin });
  await scene.file('out.pcapng', stdout);
  expect([code, linesOf(await scene.read('out.pcapng'))]).toEqual([
    0,
    ['a.pcap at 10', 'standard input at 20', 'a.pcap at 30'],
  ]);
});

test('merges the same file twice', async () => {
  await using scene = await mergeScene();
  await scene.file('a.pcap', header(), at(10), at(30));
  await scene.merge([':a.pcap', ':a.pcap', '--to', ':twice.pcapng']);
  expect(linesOf(await scene.read('twice.pcapng'))).toEqual(
    [10, 10, 30, 30].map((time) => `a.pcap at ${time}`),
  );
});

test('the output is none of the inputs, under another name either: it would have its packets twice the next time', async () => {
  await using scene = await mergeScene();
  await scene.file('a.pcap', header(), at(20));
  await scene.file('b.pcap', header(), at(10));
  await symlink('a.pcap', scene.pathOf('link.pcap'));
  const before = await scene.bytes('a.pcap');
  for (const to of [':a.pcap', ':link.pcap']) {
    const { code, stderr } = await scene.merge([':a.pcap', ':b.pcap', '--to', to]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('is one of the files to merge')]);
  }
  expect(await scene.bytes('a.pcap')).toEqual(before);
  expect(await readdir(scene.path)).toEqual(['a.pcap', 'b.pcap', 'link.pcap']);
});

test('pcap is written in spite of an interface of another link type that has no packets', async () => {
  await using scene = await mergeScene();
  const fine = interfaceBlock({ options: option(9, Buffer.of(9)) });
  await scene.file('a.pcapng', section(), interfaceBlock({ linkType: 113 }), fine, packet({ id: 1 }));
  expect(await scene.merge([':a.pcapng', '--to', ':out.pcap', '--format', 'pcap'])).toMatchObject({
    code: 0,
  });
  const { interfaces, packets } = await scene.read('out.pcap');
  expect([interfaces.map(({ linkType }) => linkType), packets.length]).toEqual([[1], 1]);
});

test('an empty file is named, and --names says of which captures it knows no addresses', async () => {
  await using scene = await mergeScene();
  await scene.file('a.pcap', header(), at(20));
  await scene.file('empty.pcap');
  const stdin = Readable.from([Buffer.concat([header(), at(10)])]);
  const ran = await scene.merge([':a.pcap', ':empty.pcap', '-', '--names', '--to', ':out.pcapng'], { stdin });
  expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining('empty.pcap is empty')]);
  expect(ran.stderr).toContain('standard input is a stream, whose addresses are not known');
});

test('a file that does not exist, and an option that does not, are named', async () => {
  await using scene = await mergeScene();
  const missing = await scene.merge([':a.pcap', '--to', ':out.pcap']);
  expect([missing.code, missing.stderr]).toEqual([1, `podcap: ${scene.pathOf('a.pcap')} does not exist\n`]);
  const misspelled = await scene.merge([':a.pcap', '--too', ':out.pcap']);
  expect([misspelled.code, misspelled.stderr]).toEqual([
    2,
    'podcap: unknown option --too: did you mean --to?\n  Try podcap merge --help.\n',
  ]);
});

test('--names without an address writes no block of names, which editcap and mergecap cannot read', async () => {
  await using scene = await mergeScene();
  await scene.file('a.pcap', header(), at(20));
  await scene.merge([':a.pcap', '--names', '--to', ':out.pcapng']);
  const emptyBlock = block(4, Buffer.alloc(4));
  expect((await scene.bytes('out.pcapng')).includes(emptyBlock)).toBe(false);
});

test('links to files are followed', async () => {
  await using scene = await mergeScene();
  await symlink(await scene.file('a.pcap', header(), at(20)), scene.pathOf('link.pcap'));
  expect(await scene.merge([':link.pcap', '--to', ':out.pcapng'])).toMatchObject({ code: 0 });
  expect(linesOf(await scene.read('out.pcapng'))).toEqual(['link.pcap at 20']);
});

test('a cut file gives all of its whole packets, a message, and exit code 3', async () => {
  await using scene = await mergeScene();
  await scene.file('a.pcap', header(), at(10), at(30), at(50).subarray(0, 19));
  await scene.file('b.pcap', header(), at(20));
  const { code, stderr } = await scene.merge([':a.pcap', ':b.pcap', '--to', ':both.pcapng']);
  expect(code).toBe(3);
  expect(stderr).toMatch(/^podcap: .*a\.pcap, byte 66: .*\npodcap: wrote 3 packets/);
  expect((await scene.read('both.pcapng')).packets).toHaveLength(3);
});

test.each([
  [['--to', 'x'], 2, 'at least one capture file is required'],
  [['a.pcap'], 2, '--to is required: a file, or - for standard output'],
  [[':a.pcap', '--to', 'x', '--fast'], 2, 'unknown option --fast'],
  [[':nowhere.pcap', '--to', ':x'], 1, 'nowhere.pcap does not exist'],
  [[':', '--to', ':x'], 1, 'is not a regular file'],
  [[':text', '--to', ':x'], 1, 'only pcap and pcapng can be read'],
  [[':a.pcap', '--to', ':nowhere/x'], 1, 'nowhere/x cannot be written: ENOENT'],
  [[':a.pcap', '--to', ':'], 1, 'cannot be written: EISDIR'],
  [
    [':a.pcap', '--to', ':taken'],
    1,
    'taken.part is already there: another podcap writes it now, or was killed',
  ],
])('%j exits with %i, says why, and writes nothing', async (args, code, message) => {
  await using scene = await mergeScene();
  await scene.file('a.pcap', header(), at(10));
  await scene.file('text', Buffer.from('no capture'));
  await scene.file('taken.part');
  const ran = await scene.merge(args);
  expect(ran).toMatchObject({ code, stdout: Buffer.alloc(0), stderr: expect.stringContaining(message) });
  expect((await readdir(scene.path)).toSorted()).toEqual(['a.pcap', 'taken.part', 'text']);
});

test('writes to a device as it is', async () => {
  await using scene = await mergeScene();
  await scene.file('a.pcap', header(), at(10));
  expect(await scene.merge([':a.pcap', '--to', '/dev/null'])).toMatchObject({ code: 0 });
});

test('replaces a file that has the name of the output', async () => {
  await using scene = await mergeScene();
  await scene.file('a.pcap', header(), at(10));
  await scene.file('out.pcapng', Buffer.from('older, and longer than what is written now'.repeat(99)));
  expect(await scene.merge([':a.pcap', '--to', ':out.pcapng'])).toMatchObject({ code: 0 });
  expect(linesOf(await scene.read('out.pcapng'))).toEqual(['a.pcap at 10']);
});

test('a full disk is an error, and leaves no file', async () => {
  await using scene = await mergeScene();
  await scene.file('a.pcap', header(), at(10));
  expect(await scene.merge([':a.pcap', '--to', '/dev/full'])).toEqual({
    code: 1,
    stdout: Buffer.alloc(0),
    stderr: 'podcap: /dev/full cannot be written: ENOSPC: no space left on device, write\n',
  });
});

test('neither reads from a terminal nor writes to one', async () => {
  await using scene = await mergeScene();
  await scene.file('a.pcap', header(), at(10));
  const screen = { areTerminals: true };
  expect(await scene.merge([':a.pcap', '--to', '-'], screen)).toMatchObject({
    code: 2,
    stdout: Buffer.alloc(0),
    stderr: expect.stringContaining('a capture file cannot be shown on a terminal'),
  });
  expect(await scene.merge(['-', '--to', ':x'], screen)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('standard input is a terminal'),
  });
  const help = await scene.merge(['--help'], screen);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout.toString()).toContain('podcap merge web.pcapng db.pcapng --to both.pcapng');
});

function count(code: number, value: number): Buffer {
  return option(code, Buffer.concat([u32(value), u32(0)]));
}
