import { expect, test } from 'vitest';
import type { Capture, CaptureRecording } from '../../api/capture.ts';
import { saveSources } from './save-sources.ts';

function recording(uid: string, fields: Partial<CaptureRecording> = {}): CaptureRecording {
  return {
    uid,
    node: 'n1',
    phase: 'Capturing',
    phaseSince: '2026-11-30T10:00:00Z',
    startTime: '2026-11-30T10:00:00Z',
    interfaces: ['eth0'],
    requestedBy: { kind: 'Annotation' },
    files: 2,
    bytes: 1_000,
    ...fields,
  };
}

function capture(name: string, ...recordings: readonly CaptureRecording[]): Capture {
  return {
    apiVersion: 'podcap.dev/v1alpha1',
    kind: 'Capture',
    metadata: {
      name,
      namespace: 'shop',
      uid: name,
      resourceVersion: '1',
      creationTimestamp: '2026-11-30T10:00:00Z',
    },
    status: { recordings },
  };
}

const wanted = {
  namespace: 'shop',
  names: undefined,
  since: undefined,
  until: undefined,
  frozen: undefined,
  previous: false,
};
const request = { kind: 'recording', namespace: 'shop' };

test('the newest recording of each Pod, by its uid', () => {
  const captures = [capture('web', recording('new'), recording('old')), capture('db', recording('one'))];
  expect(saveSources(captures, wanted)).toEqual({
    sources: [
      { name: 'db', node: 'n1', request: { ...request, pod: 'db', uid: 'one' }, expectedBytes: 1_000 },
      { name: 'web', node: 'n1', request: { ...request, pod: 'web', uid: 'new' }, expectedBytes: 1_000 },
    ],
    missing: [],
    leftOut: [],
  });
});

test('includes named Pods that nobody knows: the hub says what is wrong', () => {
  const { sources } = saveSources([capture('web', recording('new'))], {
    ...wanted,
    names: ['db', 'web', 'db'],
  });
  expect(sources).toMatchObject([
    { name: 'db', request: { ...request, pod: 'db' }, expectedBytes: undefined },
    { name: 'web', request: { ...request, pod: 'web', uid: 'new' } },
  ]);
});

test('the recording before the newest, if there is one', () => {
  const captures = [capture('web', recording('new'), recording('old')), capture('db', recording('one'))];
  const { sources, missing } = saveSources(captures, {
    ...wanted,
    names: ['web', 'db', 'x'],
    previous: true,
  });
  expect(sources.map((each) => each.request.uid)).toEqual(['old']);
  expect(missing).toEqual([
    'db has no previous recording: it has one recording',
    'x has no previous recording: nothing is recorded of it',
  ]);
});

const frozen = [1, 2].map((number) => ({
  number,
  time: '2026-11-30T10:00:00Z',
  causes: [],
  files: 1,
  bytes: number * 100,
}));

test.for([
  [{}, 700],
  [{ frozen: '2' }, 200],
  [{ frozen: '3' }, undefined],
  [{ frozen: 'all' }, 1_000],
  [{ since: '2026-11-30T10:00:00Z' }, undefined],
] as const)('about so much is expected: %j', ([asked, bytes]) => {
  const { sources } = saveSources([capture('web', recording('new', { frozen, files: 3 }))], {
    ...wanted,
    ...asked,
  });
  expect(sources).toMatchObject([{ expectedBytes: bytes }]);
});

test('frozen rings are asked for where the ring itself has no files, and noted where it has some', () => {
  const of = (files: number) => saveSources([capture('web', recording('new', { frozen, files }))], wanted);
  expect(of(2).sources).toMatchObject([{ request: { frozen: 'all' } }]);
  expect(of(2).leftOut).toEqual([{ name: 'web', numbers: [1, 2], isSaved: true }]);
  expect(of(3).sources[0]?.request).not.toHaveProperty('frozen');
  expect(of(3).leftOut).toEqual([{ name: 'web', numbers: [1, 2], isSaved: false }]);
});

test('packets take more space in pcapng', () => {
  const { sources } = saveSources([capture('web', recording('new', { packets: 10 }))], wanted);
  expect(sources).toMatchObject([{ expectedBytes: 1_180 }]);
});
