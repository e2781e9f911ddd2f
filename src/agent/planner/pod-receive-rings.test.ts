import { expect, test } from 'vitest';
import { specOf } from '../testing/fixtures.ts';
import { tcpdumpSpecsOf } from './annotations.ts';
import {
  bufferKibOf,
  endingReceiveRings,
  type RunningReceiveRing,
  wantedReceiveRings,
} from './pod-receive-rings.ts';

function specsOf(...interfaces: string[]) {
  return tcpdumpSpecsOf(specOf(1, { interfaces }));
}

function ring(name: string, kib: number, more: Partial<RunningReceiveRing> = {}): RunningReceiveRing {
  const [spec] = specsOf(name);
  if (!spec) throw new Error('no interface');
  return { spec, kib, replacedKib: 0, silentSinceMs: 7, isFull: false, ...more };
}

/** Each with its key, its size, what it replaces, and whether it is replaced. */
function textOf(interfaces: readonly string[], running: readonly RunningReceiveRing[]): string[] {
  return wantedReceiveRings('uid', specsOf(...interfaces), running).map(
    ({ key, kib, replacedKib, isReplaced }) =>
      `${key} ${kib} + ${replacedKib}${isReplaced ? ', replaced' : ''}`,
  );
}

test.each<[string, string[], RunningReceiveRing[], string[]]>([
  ['that start have none yet', ['eth0', 'lo'], [], ['uid eth0 undefined + 0', 'uid lo undefined + 0']],
  [
    'that are captured keep theirs, in the order of the request',
    ['lo', 'eth0'],
    [ring('eth0', 4), ring('lo', 16, { replacedKib: 4 })],
    ['uid lo 16 + 4', 'uid eth0 4 + 0'],
  ],
  [
    'that take the place of others get their rings',
    ['eth0', 'net1'],
    [ring('eth0', 4), ring('lo', 16)],
    ['uid eth0 4 + 0', 'uid net1 16 + 0, replaced'],
  ],
  [
    'that are not asked for any more take memory beside the first one until they have ended',
    ['eth0'],
    [ring('eth0', 4), ring('lo', 16, { replacedKib: 1 })],
    ['uid eth0 4 + 17'],
  ],
])('interfaces %s', (_what, interfaces, running, expected) => {
  expect(textOf(interfaces, running)).toEqual(expected);
});

test('another filter replaces the tcpdump of an interface', () => {
  const [wanted] = wantedReceiveRings('uid', tcpdumpSpecsOf(specOf(1, { filter: 'udp' })), [ring('eth0', 4)]);
  expect(wanted).toMatchObject({ kib: 4, isReplaced: true, silentSinceMs: 7 });
});

test('the sizes are by Pod and by interface, also of what is about to end', () => {
  const rings = [
    ...wantedReceiveRings('a', specsOf('eth0', 'lo'), []),
    ...endingReceiveRings('b', [ring('eth0', 32, { replacedKib: 4 })]),
  ];
  expect(rings.at(-1)).toMatchObject({ key: 'b eth0', kib: 32, replacedKib: 4, isReplaced: false });
  const kib = new Map([
    ['a eth0', 4],
    ['a lo', 1],
    ['b eth0', 32],
  ]);
  expect(bufferKibOf(rings, kib)).toEqual(
    new Map([
      [
        'a',
        new Map([
          ['eth0', 4],
          ['lo', 1],
        ]),
      ],
      ['b', new Map([['eth0', 32]])],
    ]),
  );
});
