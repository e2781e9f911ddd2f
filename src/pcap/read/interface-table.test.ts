import { expect, test } from 'vitest';
import { captureBytes } from '../testing/capture-bytes.ts';
import { readBytes } from '../testing/read-capture.ts';

const { section, interfaceBlock, packet, block, option, u32, i64 } = captureBytes('little');
const start = Buffer.concat([section(), interfaceBlock()]);

const address = (...bytes: readonly number[]) => option(4, Buffer.from([...bytes, 255, 255, 255, 255]));

test('an interface with other addresses in the next section is another one', async () => {
  const described = (last: number) => interfaceBlock({ options: address(10, 0, 0, last) });
  const read = async (...last: readonly number[]) =>
    await readBytes(Buffer.concat(last.map((one) => Buffer.concat([section(), described(one), packet()]))));
  expect((await read(1, 77)).interfaces.map(({ addresses }) => addresses)).toEqual([
    ['10.0.0.1'],
    ['10.0.0.77'],
  ]);
  expect((await read(1, 1)).interfaces).toHaveLength(1);
});

test('64 addresses of an interface are kept', async () => {
  const addresses = Array.from({ length: 70 }, (_, last) => address(10, 0, 0, last));
  const read = await readBytes(
    Buffer.concat([section(), interfaceBlock({ options: Buffer.concat(addresses) })]),
  );
  expect(read.interfaces[0]?.addresses).toHaveLength(64);
  expect(read.interfaces[0]?.addresses?.at(-1)).toBe('10.0.0.63');
});

test('more addresses of interfaces than are kept end a capture', async () => {
  const addresses = Buffer.concat(Array<Buffer>(64).fill(address(100, 100, 100, 100)));
  const described = Array<Buffer>(20_000).fill(interfaceBlock({ options: addresses }));
  const read = await readBytes(Buffer.concat([section(), ...described]));
  expect(read.interfaces).toHaveLength(Math.floor((8 * 2 ** 20) / (64 * '100.100.100.100'.length)));
  expect(read.damage).toMatchObject([{ message: expect.stringMatching(/: too many interfaces$/) }]);
});

test('statistics say what the system dropped, in all sections, and have a comment, the last one', async () => {
  const statistics = (dropped: bigint, comment: string) => {
    const options = [option(7, i64(dropped)), option(1, comment)];
    return block(5, Buffer.concat([...[0, 0, 0].map(u32), ...options]));
  };
  const read = await readBytes(
    Buffer.concat([start, statistics(3n, 'a'), statistics(4n, 'b'), start, statistics(5n, 'c'.repeat(5000))]),
  );
  expect(read.received).toEqual([{ droppedBySystem: 9, comment: 'b' }]);
});
