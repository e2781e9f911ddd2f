import { type FileHandle, mkdir, open, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { captureBytes, someData } from '../testing/capture-bytes.ts';
import { readBytes, readOpened } from '../testing/read-capture.ts';
import { openCaptureFiles, openCaptureStream } from './capture-reader.ts';
import { ReadBuffer } from './read-buffer.ts';

const { header, record, section, interfaceBlock, packet } = captureBytes('little');
const start = Buffer.concat([section(), interfaceBlock()]);
const data = someData.toString('latin1');

test('files of one writer are read as one capture, with one interface', async () => {
  await using folder = await temporaryFolder();
  const paths = [1, 2, 3].map((number) => join(folder.path, `web.pcap${number}`));
  for (const [at, path] of paths.entries())
    await writeFile(path, Buffer.concat([header(), record({ fraction: at }), record({ fraction: at })]));
  const read = await readOpened(await openCaptureFiles(paths));
  expect(read.packets.map(({ nanoseconds }) => nanoseconds)).toEqual([0, 0, 1000, 1000, 2000, 2000]);
  expect(read.interfaces).toHaveLength(1);
  expect(read.damage).toEqual([]);
});

test('files of different formats and link types are read as one capture with several interfaces', async () => {
  await using folder = await temporaryFolder();
  const big = captureBytes('big');
  const files = [
    Buffer.concat([header(), record()]),
    Buffer.concat([start, packet()]),
    Buffer.concat([big.header({ magic: 0xa1b23c4d, network: 113 }), big.record()]),
    Buffer.alloc(0),
  ];
  const paths = files.map((_, at) => join(folder.path, `${at}`));
  for (const [at, file] of files.entries()) await writeFile(paths[at] ?? '', file);
  const read = await readOpened(await openCaptureFiles(paths));
  expect(read.packets.map(({ interfaceIndex }) => interfaceIndex)).toEqual([0, 0, 1]);
  expect(read.interfaces.map(({ linkType }) => linkType)).toEqual([1, 113]);
});

test('a later file that cannot be read is damage, and the one after it is read', async () => {
  await using folder = await temporaryFolder();
  const path = (name: string) => join(folder.path, name);
  await writeFile(path('good'), Buffer.concat([header(), record()]));
  await writeFile(path('cut'), Buffer.concat([header(), record()]).subarray(0, -1));
  await writeFile(path('text'), 'some text');
  await symlink(path('good'), path('link'));
  await mkdir(path('folder'));
  const names = ['good', 'gone', 'cut', 'text', 'link', 'folder', 'good'];
  const read = await readOpened(await openCaptureFiles(names.map(path)));
  expect(read.packets).toHaveLength(2);
  expect(read.damage.map(({ kind, message }) => [kind, message.replaceAll(`${folder.path}/`, '')])).toEqual([
    ['corrupt', 'gone does not exist'],
    ['cut', 'cut, byte 24: the file ends inside a packet, 35 bytes after its start'],
    ['corrupt', expect.stringMatching(/^text starts with 0x736f6d65/)],
    ['corrupt', 'link is a link'],
    ['corrupt', 'folder is not a regular file'],
  ]);
});

test('files that are open already are read, and closed in every case', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'web.pcap');
  await writeFile(path, Buffer.concat([header(), record()]));
  const openAll = () => Promise.all([1, 2, 3].map(() => open(path)));
  const files = (handles: readonly FileHandle[]) =>
    handles.map((handle) => ({ path, handle, fileBytes: 60 }));

  const read = await openAll();
  expect((await readOpened(await openCaptureFiles(files(read)))).packets).toHaveLength(3);
  const abandoned = await openAll();
  const opened = await openCaptureFiles(files(abandoned));
  if (opened.kind === 'capture') await opened.reader[Symbol.asyncDispose]();
  await writeFile(path, 'no capture file');
  const refused = await openAll();
  expect(await openCaptureFiles(files(refused))).toMatchObject({ kind: 'not-capture' });
  expect([...read, ...abandoned, ...refused].map(({ fd }) => fd)).toEqual(Array(9).fill(-1));
});

test('the first file must be a capture', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'gone');
  expect(await openCaptureFiles([path])).toEqual({ kind: 'not-capture', message: `${path} does not exist` });
});

test('what is appended to a file after it was opened is not read, and it can shrink', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'web.pcap');
  const one = Buffer.concat([header(), record()]);
  const many = Array<Buffer>(20_000).fill(record());
  await writeFile(path, one);
  const opened = await openCaptureFiles([path]);
  await writeFile(path, record(), { flag: 'a' });
  expect((await readOpened(opened)).packets).toHaveLength(1);

  await writeFile(path, Buffer.concat([header(), ...many]));
  const shrinking = await openCaptureFiles([path], { bufferBytes: 16_384 });
  await truncate(path, 24 + 36 * 1000);
  const read = await readOpened(shrinking);
  expect(read.packets).toHaveLength(1000);
});

test('an error of read(2) rejects the promise of the next packet', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'web.pcap');
  await writeFile(path, Buffer.concat([header(), ...Array<Buffer>(1_000).fill(record())]));
  const handle = await open(path);
  const opened = await openCaptureFiles([{ path, handle, fileBytes: 24 + 36 * 1_000 }], {
    bufferBytes: 16_384,
  });
  if (opened.kind !== 'capture') throw new Error(opened.message);
  await using reader = opened.reader;
  await handle.close();
  const readAll = async () => {
    while (await reader.next());
  };
  await expect(readAll()).rejects.toThrow('EBADF');
});

test('a buffer can be used for one capture after another', async () => {
  await using folder = await temporaryFolder();
  const buffer = new ReadBuffer(0);
  for (const count of [2_000, 1, 3_000]) {
    const path = join(folder.path, `${count}.pcap`);
    await writeFile(path, Buffer.concat([header(), ...Array<Buffer>(count).fill(record())]));
    expect((await readOpened(await openCaptureFiles([path], { buffer }))).packets).toHaveLength(count);
  }
});

test('a packet of a stream is there as soon as its last byte is', async () => {
  for (const [head, one] of [
    [header(), record()],
    [start, packet()],
  ] as const) {
    const stream = new PassThrough();
    stream.write(Buffer.concat([head, one, one.subarray(0, 9)]));
    const opened = await openCaptureStream(stream, { name: 'standard input' });
    if (opened.kind !== 'capture') throw new Error(opened.message);
    await using reader = opened.reader;
    expect(await reader.next()).toBe(true);
    const next = reader.next();
    expect(next).toBeInstanceOf(Promise);
    stream.write(one.subarray(9));
    expect(await next).toBe(true);
    expect(Buffer.from(reader.packet.buffer).toString('latin1', reader.packet.dataAt).slice(0, 20)).toBe(
      data,
    );
    stream.end();
    expect(await reader.next()).toBe(false);
    expect(await reader.next()).toBe(false);
  }
});

test('next is no promise while packets are in memory', async () => {
  const opened = await openCaptureStream(
    (async function* () {
      yield Buffer.concat([header(), record(), record()]);
    })(),
    { name: 'capture' },
  );
  if (opened.kind !== 'capture') throw new Error(opened.message);
  await using reader = opened.reader;
  await reader.next();
  expect(reader.next()).toBe(true);
});

test('a reader whose stream is silent can be disposed of', async () => {
  const stream = new PassThrough();
  stream.write(header());
  const opened = await openCaptureStream(stream, { name: 'standard input' });
  if (opened.kind !== 'capture') throw new Error(opened.message);
  const next = Promise.resolve(opened.reader.next()).catch(() => 'failed');
  await opened.reader[Symbol.asyncDispose]();
  expect(await next).not.toBe(true);
  expect(stream.destroyed).toBe(true);
});

test('an error of a stream is thrown', async () => {
  const stream = new PassThrough();
  stream.write(header());
  const opened = await openCaptureStream(stream, { name: 'standard input' });
  if (opened.kind !== 'capture') throw new Error(opened.message);
  await using reader = opened.reader;
  const next = reader.next();
  stream.destroy(new Error('the connection was lost'));
  await expect(next).rejects.toThrow('the connection was lost');
});

test('a small buffer grows for a large packet and holds it as a whole', async () => {
  const options = captureBytes('little').option(1, 'c'.repeat(60_000));
  const large = Buffer.alloc(262_144, 'z');
  const bytes = Buffer.concat([start, packet(), packet({ data: large, options }), packet()]);
  const { packets, damage } = await readBytes(bytes, { bufferBytes: 1, chunkBytes: 10_000 });
  expect(packets.map((one) => one.data.length)).toEqual([20, 262_144, 20]);
  expect(packets[1]?.options?.comments[0]).toHaveLength(60_000);
  expect(damage).toEqual([]);
});
