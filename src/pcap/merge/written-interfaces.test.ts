import { expect, test } from 'vitest';
import type { CaptureInterface } from '../capture-interface.ts';
import { plainInterface } from '../testing/capture-bytes.ts';
import { packetOf } from '../testing/packet-of.ts';
import type { WriteProblem } from '../write/packet-writer.ts';
import { writtenInterfaces } from './written-interfaces.ts';

const web: CaptureInterface = { ...plainInterface, name: 'web' };

test('the same description is one interface, and any difference makes another one', () => {
  const written = writtenInterfaces(collecting());
  const differing: readonly CaptureInterface[] = [
    web,
    { ...web, name: 'db' },
    { ...web, linkType: 113 },
    { ...web, snaplen: 96 },
    { ...web, resolution: { base: 2, exponent: 6 } },
    { ...web, offsetSeconds: 1n },
    { ...web, description: 'a' },
    { ...web, filter: 'a' },
    { ...web, comment: 'a' },
    { ...web, addresses: ['10.0.0.1'] },
    { ...web, frameCheckBytes: 4 },
  ];
  expect(differing.map(written.numberOf)).toEqual([...differing.keys()]);
  expect(differing.map((each) => written.numberOf({ ...each }))).toEqual([...differing.keys()]);
});

test('counts the packets of each interface, and knows its first and its latest time', () => {
  const written = writtenInterfaces(collecting());
  const [first, second, idle] = ['a', 'b', 'c'].map((name) => written.numberOf({ ...web, name }));
  const count = (number: number | WriteProblem | undefined, time: bigint) =>
    typeof number === 'number' && written.count(number, packetOf({ time, original: 1, data: '' }));
  for (const time of [0x1_0000_0005n, 0x2_0000_0001n, 0x1_ffff_ffffn]) count(first, time);
  count(second, 0n);
  expect([first, second, idle]).toEqual([0, 1, 2]);
  expect(written.packets()).toBe(4);
  expect(
    written.statistics(({ name }) => (name === 'b' ? { received: 9n, delivered: 8n, comment: 'c' } : {})),
  ).toEqual([
    { interfaceNumber: 0, start: 0x1_0000_0005n, end: 0x2_0000_0001n, delivered: 3n },
    { interfaceNumber: 1, start: 0n, end: 0n, received: 9n, delivered: 8n, comment: 'c' },
    { interfaceNumber: 2, start: undefined, end: undefined, delivered: 0n },
  ]);
});

test('a description that the writer refuses is no interface', () => {
  const problem: WriteProblem = { reason: 'LinkTypesDiffer', message: 'no' };
  const written = writtenInterfaces({ addInterface: () => problem });
  expect([written.numberOf(web), written.numberOf(web)]).toEqual([problem, problem]);
  expect(written.statistics(() => ({}))).toEqual([]);
});

function collecting() {
  let added = 0;
  return { addInterface: () => added++ };
}
