import fc from 'fast-check';
import { expect, test } from 'vitest';
import { annotationRules, captureAnnotation, requestOf } from './annotations.ts';

const limits = { maxFiles: 100, maxFileMegabytes: 100 };
const freeze = { on: [], afterMs: 5_000, text: undefined };
const plain = {
  fileMegabytes: 1,
  interfaces: ['eth0'],
  filter: undefined,
  snaplen: undefined,
  durationMs: undefined,
  freeze,
  isPaused: false,
  policy: undefined,
};
const pod = (value: string | undefined, hostNetwork = false) => ({
  annotations: value === undefined ? {} : { [captureAnnotation]: value },
  hostNetwork,
});

test.each([
  ['1', 1],
  ['5', 5],
  ['100', 100],
  ['007', 7],
])('%j requests %d capture files', (value, files) => {
  expect(requestOf(pod(value), limits)).toEqual({ kind: 'capture', spec: { files, ...plain } });
});

test.each([
  ['', '""'],
  ['0', '"0"'],
  ['101', '"101"'],
  ['-1', '"-1"'],
  ['+5', '"+5"'],
  ['5.0', '"5.0"'],
  ['1e1', '"1e1"'],
  ['0x5', '"0x5"'],
  [' 5', '" 5"'],
  ['5\n', '"5\\n"'],
  ['٥', '"٥"'],
  ['true', '"true"'],
  ['99999999999999999999', '"99999999999999999999"'],
  ['x'.repeat(1_000), `"${'x'.repeat(40)}…"`],
])('%j is refused with a message that names the value and the range', (value, shown) => {
  const request = requestOf(pod(value), limits);
  expect(request).toEqual({
    kind: 'refused',
    refusal: {
      reason: 'InvalidAnnotation',
      message: `annotation tcpdump.antrea.io=${shown}: must be a whole number of capture files from 1 to 100`,
    },
  });
});

test('a Pod without the annotation requests nothing', () => {
  expect(requestOf(pod(undefined), limits)).toEqual({ kind: 'none' });
  expect(requestOf(pod(undefined, true), limits)).toEqual({ kind: 'none' });
});

test('a Pod on the host network is refused', () => {
  expect(requestOf(pod('5', true), limits)).toMatchObject({
    kind: 'refused',
    refusal: { reason: 'HostNetwork' },
  });
});

test('every string is either a number within the limits or refused with a message', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.integer().map(String)), (value) => {
      const request = requestOf(pod(value), limits);
      const isAllowed = /^[0-9]{1,9}$/.test(value) && Number(value) >= 1 && Number(value) <= 100;
      expect(request).toMatchObject(
        isAllowed
          ? { kind: 'capture', spec: { files: Number(value) } }
          : { kind: 'refused', refusal: { reason: 'InvalidAnnotation' } },
      );
    }),
  );
});

test.each([
  ['podcap.dev/file-size', '10', { fileMegabytes: 10 }],
  ['podcap.dev/interface', 'net1', { interfaces: ['net1'] }],
  ['podcap.dev/interface', 'eth0,lo', { interfaces: ['eth0', 'lo'] }],
  ['podcap.dev/interface', 'lo,eth0,net1,net2', { interfaces: ['lo', 'eth0', 'net1', 'net2'] }],
  ['podcap.dev/filter', 'tcp port 80', { filter: 'tcp port 80' }],
  ['podcap.dev/filter', '-z /evil', { filter: '-z /evil' }],
  ['podcap.dev/snaplen', '128', { snaplen: 128 }],
  ['podcap.dev/duration', '90s', { durationMs: 90_000 }],
  ['podcap.dev/duration', '1h30m', { durationMs: 5_400_000 }],
  ['podcap.dev/duration', '168h', { durationMs: 604_800_000 }],
  ['podcap.dev/freeze-on', 'restart', { freeze: { ...freeze, on: ['restart'] } }],
  [
    'podcap.dev/freeze-on',
    'failed,not-ready,oom-killed,restart',
    { freeze: { ...freeze, on: ['failed', 'not-ready', 'oom-killed', 'restart'] } },
  ],
  ['podcap.dev/freeze-after', '10m', { freeze: { ...freeze, afterMs: 600_000 } }],
  ['podcap.dev/freeze', 'before the upgrade', { freeze: { ...freeze, text: 'before the upgrade' } }],
  ['podcap.dev/paused', 'true', { isPaused: true }],
  ['podcap.dev/paused', 'false', { isPaused: false }],
])('%s: %j is allowed', (key, value, expected) => {
  const annotations = { [captureAnnotation]: '5', [key]: value };
  expect(requestOf({ annotations, hostNetwork: false }, limits)).toEqual({
    kind: 'capture',
    spec: { files: 5, ...plain, ...expected },
  });
});

test.each([
  ['podcap.dev/file-size', '0'],
  ['podcap.dev/file-size', '101'],
  ['podcap.dev/file-size', '1M'],
  ['podcap.dev/interface', 'any'],
  ['podcap.dev/interface', ''],
  ['podcap.dev/interface', '-z'],
  ['podcap.dev/interface', '1'],
  ['podcap.dev/interface', 'eth0:/x'],
  ['podcap.dev/interface', 'sixteencharacter'],
  ['podcap.dev/interface', 'eth0,any'],
  ['podcap.dev/interface', 'eth0, lo'],
  ['podcap.dev/interface', 'eth0,eth0'],
  ['podcap.dev/interface', 'eth0,'],
  ['podcap.dev/interface', 'a,b,c,d,e'],
  ['podcap.dev/filter', ''],
  ['podcap.dev/filter', '  '],
  ['podcap.dev/filter', 'tcp\nor udp'],
  ['podcap.dev/filter', 'tcp\u0000'],
  ['podcap.dev/filter', 'a'.repeat(2_049)],
  ['podcap.dev/snaplen', '63'],
  ['podcap.dev/snaplen', '262145'],
  ['podcap.dev/duration', ''],
  ['podcap.dev/duration', '10'],
  ['podcap.dev/duration', '0s'],
  ['podcap.dev/duration', '169h'],
  ['podcap.dev/duration', '1.5h'],
  ['podcap.dev/duration', '30m1h'],
  ['podcap.dev/freeze-on', ''],
  ['podcap.dev/freeze-on', 'crash'],
  ['podcap.dev/freeze-on', 'restart,restart'],
  ['podcap.dev/freeze-on', 'restart,'],
  ['podcap.dev/freeze-after', '0s'],
  ['podcap.dev/freeze-after', '601s'],
  ['podcap.dev/freeze', ' '],
  ['podcap.dev/freeze', 'a\nb'],
  ['podcap.dev/freeze', 'é'.repeat(127)],
  ['podcap.dev/paused', ''],
  ['podcap.dev/paused', 'True'],
])('%s: %j is refused with a message that names both', (key, value) => {
  const annotations = { [captureAnnotation]: '5', [key]: value };
  const request = requestOf({ annotations, hostNetwork: false }, limits);
  const message = expect.stringContaining(
    `annotation ${key}=${JSON.stringify(value.slice(0, 40)).slice(0, -1)}`,
  );
  expect(request).toMatchObject({ kind: 'refused', refusal: { reason: 'InvalidAnnotation', message } });
});

const options =
  'podcap.dev/file-size, podcap.dev/interface, podcap.dev/filter, podcap.dev/snaplen, podcap.dev/duration, podcap.dev/freeze-on, podcap.dev/freeze-after, podcap.dev/freeze, podcap.dev/paused';

test.each([
  ['podcap.dev/filters', 'did you mean podcap.dev/filter?'],
  ['podcap.dev/snap-len', 'did you mean podcap.dev/snaplen?'],
  ['podcap.dev/Filter', 'did you mean podcap.dev/filter?'],
  ['Podcap.dev/filter', 'did you mean podcap.dev/filter?'],
  ['podcap.dev/files', `must be one of ${options}`],
  ['podcap.dev/__proto__', `must be one of ${options}`],
])('the unknown annotation %s is refused, and the message says %j', (key, help) => {
  const annotations = { [captureAnnotation]: '5', 'podcap.dev/filter': 'tcp', [key]: 'tcp' };
  expect(requestOf({ annotations, hostNetwork: false }, limits)).toEqual({
    kind: 'refused',
    refusal: { reason: 'InvalidAnnotation', message: `annotation ${key} is unknown: ${help}` },
  });
});

test('the first unknown annotation in the order of the alphabet is named, after values that are not allowed', () => {
  const unknown = { [captureAnnotation]: '5', 'podcap.dev/z': '', 'podcap.dev/a': '' };
  const message = (annotations: Record<string, string>) => {
    const request = requestOf({ annotations, hostNetwork: false }, limits);
    return request.kind === 'refused' ? request.refusal.message : request.kind;
  };
  expect(message(unknown)).toContain('annotation podcap.dev/a is unknown');
  expect(message({ ...unknown, 'podcap.dev/snaplen': '0' })).toContain('annotation podcap.dev/snaplen="0"');
});

test('annotations of other tools, and unknown ones of a Pod that requests no capture, are ignored', () => {
  const others = {
    'podcap.develop/x': '',
    'x.podcap.dev/filter': '',
    'tcpdump.antrea.io/x': '',
    filters: '',
  };
  const annotations = { [captureAnnotation]: '5', ...others };
  expect(requestOf({ annotations, hostNetwork: false }, limits)).toMatchObject({ kind: 'capture' });
  expect(requestOf({ annotations: { 'podcap.dev/filters': '' }, hostNetwork: false }, limits)).toEqual({
    kind: 'none',
  });
});

test('without the first annotation, the others request nothing', () => {
  const annotations = { 'podcap.dev/filter': '', 'podcap.dev/snaplen': 'x' };
  expect(requestOf({ annotations, hostNetwork: false }, limits)).toEqual({ kind: 'none' });
});

test('for any strings, nothing is requested, or the request is allowed, or it is refused with a message that names one of them', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ maxLength: 3_000 }),
    fc.constantFrom('__proto__', 'constructor'),
  );
  const allowed = {
    [captureAnnotation]: ['1', '5', '100'],
    'podcap.dev/file-size': ['1', '100'],
    'podcap.dev/interface': ['eth0', 'lo'],
    'podcap.dev/filter': ['tcp', '-w /x'],
    'podcap.dev/snaplen': ['64', '262144'],
    'podcap.dev/duration': ['1s', '1h30m'],
    'podcap.dev/freeze-on': ['restart', 'failed,not-ready'],
    'podcap.dev/freeze-after': ['1s', '10m'],
    'podcap.dev/freeze': ['now', '1'],
    'podcap.dev/paused': ['true', 'false'],
    toString: ['x'],
    'podcap.dev/unknown': ['x'],
  };
  const keys = Object.values(annotationRules(limits)).map(({ key }) => key);
  expect(Object.keys(allowed)).toEqual([...keys, 'toString', 'podcap.dev/unknown']);
  const settings = Object.entries(allowed).map(([key, some]) =>
    fc.option(
      fc.oneof(fc.constantFrom(...some), text).map((value) => [key, value] as const),
      {
        freq: 2,
      },
    ),
  );
  const annotations = fc
    .tuple(...settings)
    .map((pairs) => Object.fromEntries(pairs.filter((pair) => pair !== null)));
  const kinds = new Set<string>();
  fc.assert(
    fc.property(annotations, fc.boolean(), (given, hostNetwork) => {
      const request = requestOf({ annotations: given, hostNetwork }, limits);
      kinds.add(request.kind);
      expect(request.kind === 'none').toBe(given[captureAnnotation] === undefined);
      const refused =
        request.kind === 'refused' ? request.refusal : { reason: 'None', message: 'annotation ' };
      expect(refused.reason).toMatch(/^(None|InvalidAnnotation|HostNetwork)$/);
      expect(refused.message).toMatch(refused.reason === 'HostNetwork' ? /host network/ : /^annotation /);
      const named = Object.keys(given).some((key) =>
        new RegExp(`^annotation ${key}(=| is unknown)`).test(refused.message),
      );
      expect(named).toBe(refused.reason === 'InvalidAnnotation');
    }),
    { numRuns: 2_000 },
  );
  expect([...kinds].toSorted()).toEqual(['capture', 'none', 'refused']);
});
