import { describe, expect, test } from 'vitest';
import { podcapAnnotations, requestChange } from './request-change.ts';
import { givenArguments, targetPod } from './testing/request-objects.ts';
import { wantedCapture } from './wanted-capture.ts';

type Options = Record<string, string>;
const change = (annotations: Options, options: Options = {}, overwrite = false) =>
  requestChange(targetPod({ annotations }), wantedCapture(givenArguments([], options)), { overwrite });

const files = 'tcpdump.antrea.io';
const filter = 'podcap.dev/filter';
const paused = 'podcap.dev/paused';

describe('a Pod that asks for nothing', () => {
  test('gets the request, and loses what would have an effect with it', () => {
    const stale = {
      [filter]: 'udp',
      [paused]: 'true',
      'podcap.dev/freeze': 'old',
      'PODCAP.dev/x': '',
      app: 'a',
    };
    expect(change(stale, { filter: 'tcp' })).toMatchObject({
      kind: 'set',
      annotations: {
        [files]: '5',
        [filter]: 'tcp',
        [paused]: undefined,
        'podcap.dev/freeze': undefined,
        'PODCAP.dev/x': undefined,
      },
    });
    expect(change({})).toMatchObject({ kind: 'set', annotations: { [files]: '5' } });
  });
});

describe('a Pod that asks for a capture', () => {
  test.each<[string, Options, Options, boolean, string]>([
    ['the same', { [files]: '5' }, { files: '5' }, false, 'same'],
    ['the same in other words', { [files]: '5', [paused]: 'false' }, { files: '5' }, false, 'same'],
    ['the same after a freeze', { [files]: '5', 'podcap.dev/freeze': 'x' }, { files: '5' }, false, 'same'],
    ['the same, to be overwritten', { [files]: '5' }, { files: '5' }, true, 'same'],
    ['anything', { [files]: '50', [filter]: 'tcp' }, {}, false, 'same'],
    ['anything, paused', { [files]: '50', [paused]: 'true' }, {}, false, 'resumed'],
    ['the same, paused', { [files]: '50', [paused]: 'true' }, { files: '50' }, false, 'resumed'],
    ['something else', { [files]: '50' }, { files: '5' }, false, 'kept'],
    ['something else, paused', { [files]: '50', [paused]: 'true' }, { files: '5' }, false, 'kept'],
    ['something that is refused', { [files]: 'x' }, {}, false, 'kept'],
    ['the default, to be overwritten', { [files]: '50' }, {}, true, 'set'],
    ['something refused, to be overwritten', { [files]: 'x' }, { files: '5' }, true, 'set'],
  ])('%s', (_, annotations, options, overwrite, kind) => {
    expect(change(annotations, options, overwrite)).toMatchObject({ kind });
  });

  test('loses what is not asked for any more when it is overwritten', () => {
    const present = { [files]: '5', [filter]: 'tcp', [paused]: 'true', 'podcap.dev/freeze': 'x', app: 'a' };
    expect(change(present, { snaplen: '96' }, true)).toEqual({
      kind: 'set',
      annotations: { [files]: '5', 'podcap.dev/snaplen': '96', [filter]: undefined, [paused]: undefined },
      spec: expect.objectContaining({ snaplen: 96, filter: undefined }),
    });
  });

  test('goes on as it was when it is resumed', () => {
    expect(change({ [files]: '50', [filter]: 'tcp', [paused]: 'true' })).toEqual({
      kind: 'resumed',
      annotations: { [paused]: undefined },
      spec: expect.objectContaining({ files: 50, filter: 'tcp', isPaused: false }),
    });
  });
});

test('only annotations of Podcap are its own', () => {
  const annotations = {
    [files]: '5',
    [filter]: 'x',
    'Podcap.dev/Filter': 'x',
    'podcap.development/x': '',
    a: '',
  };
  expect(podcapAnnotations(targetPod({ annotations }))).toEqual([files, filter, 'Podcap.dev/Filter']);
});
