import fc from 'fast-check';

/** A valid spec of a CapturePolicy. */
export const validSpec = { selector: { matchLabels: { app: 'web' } }, files: 5 };

const texts = [
  '',
  ' ',
  'x',
  'tcp port 80',
  'tcp\nor udp',
  'tcp\u0000',
  'tcp\u0085',
  '\u00a0',
  '\u200b',
  '\ufeff',
];
const numbers = [0, 1, 5, 63, 64, 100, 101, 262_144, 262_145, -1, 1.5, 1e9];
const durations = [
  '0s',
  '1s',
  '90s',
  '10m',
  '11m',
  '600s',
  '601s',
  '1h30m',
  '168h',
  '169h',
  '30m1h',
  '1.5h',
  '1H',
];
const times = [
  '2027-01-31T18:00:00Z',
  '2027-01-31t18:00:00z',
  '2027-01-31T18:00:00.123456789+02:00',
  '2027-01-31T18:00:00.1234567890Z',
  '2028-02-29T00:00:00-23:59',
  '2027-02-29T00:00:00Z',
  '2027-02-30T00:00:00Z',
  '2027-13-01T00:00:00Z',
  '2027-01-31T24:00:00Z',
  '2027-01-31T23:59:60Z',
  '2027-01-31T18:00:00+24:00',
  '2027-01-31T18:00:00',
  '2027-01-31 18:00:00Z',
  '2027-01-31',
  '0000-01-01T00:00:00Z',
];
const others = [null, true, {}, [], ['x'], '5'];

const exists = { key: 'app', operator: 'Exists' };
const selectors: readonly unknown[] = [
  {},
  { matchLabels: {} },
  { matchLabels: { 'example.com/app': '', 'a.b-c/D_e.f': 'x' } },
  { matchLabels: { app: 'x'.repeat(63) } },
  { matchLabels: { app: 'x'.repeat(64) } },
  { matchLabels: { app: '-x' } },
  { matchLabels: { app: 5 } },
  { matchLabels: { 'a b': 'x' } },
  { matchLabels: { '': 'x' } },
  { matchLabels: { 'Example.com/app': 'x' } },
  { matchLabels: { ['k'.repeat(63)]: 'x' } },
  { matchLabels: { ['k'.repeat(64)]: 'x' } },
  { matchLabels: { [`${'a'.repeat(253)}/${'k'.repeat(63)}`]: 'x' } },
  { matchLabels: { [`${'a'.repeat(254)}/${'k'.repeat(63)}`]: 'x' } },
  { matchLabels: { constructor: 'x' } },
  { matchLabels: many(32) },
  { matchLabels: many(33) },
  { matchLabels: null },
  { matchLabels: null, matchExpressions: [] },
  { matchLabels: ['app'] },
  { matchExpressions: [] },
  { matchExpressions: [exists, { key: 'zone', operator: 'DoesNotExist' }] },
  { matchExpressions: [{ ...exists, values: [] }] },
  { matchExpressions: [{ ...exists, values: ['x'] }] },
  { matchExpressions: [{ key: 'app', operator: 'In', values: ['a', 'b', ''] }] },
  { matchExpressions: [{ key: 'app', operator: 'In', values: [] }] },
  { matchExpressions: [{ key: 'app', operator: 'In' }] },
  { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['x y'] }] },
  { matchExpressions: [{ key: 'app', operator: 'NotIn', values: Object.keys(many(16)) }] },
  { matchExpressions: [{ key: 'app', operator: 'NotIn', values: Object.keys(many(17)) }] },
  { matchExpressions: [{ key: 'a b', operator: 'Exists' }] },
  { matchExpressions: [{ key: 'app', operator: 'Equals', values: ['x'] }] },
  { matchExpressions: [{ operator: 'Exists' }] },
  { matchExpressions: Array.from({ length: 8 }, () => exists) },
  { matchExpressions: Array.from({ length: 9 }, () => exists) },
  null,
  'app=web',
];

const interfaces = [
  'eth0',
  'lo',
  'net1',
  'any',
  '1',
  '',
  'a,b',
  'eth0:/x',
  'sixteencharacter',
  'éth0',
  'eth0.5@x',
];
const triggers = ['restart', 'oom-killed', 'not-ready', 'failed', 'crash', ''];

/** Values of each field, allowed and not. */
export const fieldValues: Readonly<Record<string, readonly unknown[]>> = {
  selector: selectors,
  files: [...numbers, ...others],
  fileSize: [...numbers, ...others],
  interfaces: [
    ...interfaces.map((name) => [name]),
    ['eth0', 'lo', 'net1', 'net2'],
    ['eth0', 'lo', 'net1', 'net2', 'net3'],
    ['lo', 'lo'],
    ...others,
  ],
  filter: [
    ...texts,
    'é'.repeat(1_024),
    'é'.repeat(1_025),
    'a'.repeat(2_048),
    'a'.repeat(2_049),
    '𝒳'.repeat(512),
    '𝒳'.repeat(513),
    ...others,
  ],
  snaplen: [...numbers, ...others],
  duration: [...durations, '000h00000m000001s', '0000h00000m000001s', ...texts, ...others],
  freezeOn: [
    ...triggers.map((trigger) => [trigger]),
    ['restart', 'failed'],
    ['restart', 'restart'],
    ...others,
  ],
  freezeAfter: [...durations, ...others],
  paused: [false, 'true', 1, ...others],
  expires: [...times, ...others],
};

/** Specs that differ from a valid one in up to three fields. */
export const anySpec: fc.Arbitrary<object> = fc
  .uniqueArray(fc.constantFrom(...Object.keys(fieldValues)), { maxLength: 3 })
  .chain((fields) => fc.record(Object.fromEntries(fields.map((field) => [field, valueOf(field)]))))
  .map((changes) => ({ ...validSpec, ...changes }));

/** One of the table, or one at random that is like them. */
function valueOf(field: string): fc.Arbitrary<unknown> {
  const part = fc.tuple(fc.nat({ max: 2_000 }), fc.constantFrom('h', 'm', 's')).map((pair) => pair.join(''));
  // JSON cannot carry half a surrogate pair.
  const text = fc.string({ unit: 'binary', maxLength: 20 }).map((each) => each.toWellFormed());
  const like: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
    files: fc.integer({ min: -5, max: 130 }),
    fileSize: fc.integer({ min: -5, max: 130 }),
    snaplen: fc.integer({ min: 0, max: 300_000 }),
    filter: text,
    duration: fc.array(part, { maxLength: 3 }).map((parts) => parts.join('')),
    freezeAfter: fc.array(part, { maxLength: 2 }).map((parts) => parts.join('')),
    interfaces: fc.array(fc.oneof(fc.constantFrom(...interfaces), text), { maxLength: 5 }),
    freezeOn: fc.array(fc.constantFrom(...triggers), { maxLength: 5 }),
    selector: fc.record({ matchLabels: fc.dictionary(text, text, { maxKeys: 3 }) }),
  };
  const table = fc.constantFrom(...(fieldValues[field] ?? []));
  const random = like[field];
  return random ? fc.oneof(table, random) : table;
}

function many(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`label-${i}`, 'x']));
}
