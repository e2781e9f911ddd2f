import { expect, test } from 'vitest';
import { podWith, specOf } from '../testing/fixtures.ts';
import { annotationRules, requestOf } from './annotations.ts';
import { expiryOf, parsePolicySpec, policyFields } from './policy-fields.ts';

const limits = { maxFiles: 100, maxFileMegabytes: 50 };

/** Values, and what they ask for; undefined: refused. */
test.each<[field: string, value: unknown, part: object | undefined]>([
  ['files', 1, { files: 1 }],
  ['files', 100, { files: 100 }],
  ['files', 0, undefined],
  ['files', 101, undefined],
  ['files', 1.5, undefined],
  ['files', '5', undefined],
  ['files', null, undefined],
  ['files', -1, undefined],
  ['fileSize', 50, { fileMegabytes: 50 }],
  ['fileSize', 51, undefined],
  ['fileSize', null, { fileMegabytes: 1 }],
  ['interfaces', ['eth0', 'lo'], { interfaces: ['eth0', 'lo'] }],
  ['interfaces', [], undefined],
  ['interfaces', ['a,b'], undefined],
  ['interfaces', ['a', 'b', 'c', 'd', 'e'], undefined],
  ['interfaces', ['any'], undefined],
  ['interfaces', ['lo', 'lo'], undefined],
  ['interfaces', 'eth0', undefined],
  ['interfaces', [1], undefined],
  ['filter', 'tcp port 80', { filter: 'tcp port 80' }],
  ['filter', '', undefined],
  ['filter', 'tcp\n', undefined],
  ['snaplen', 128, { snaplen: 128 }],
  ['snaplen', 63, undefined],
  ['duration', '10m', { durationMs: 600_000 }],
  ['duration', '169h', undefined],
  ['duration', 600, undefined],
  ['duration', '000h00000m000001s', { durationMs: 1_000 }],
  [
    'freezeOn',
    ['restart', 'failed'],
    { freeze: { on: ['restart', 'failed'], afterMs: 5_000, text: undefined } },
  ],
  ['freezeOn', ['crash'], undefined],
  ['freezeOn', [], undefined],
  ['freezeAfter', '30s', { freeze: { on: [], afterMs: 30_000, text: undefined } }],
  ['freezeAfter', '11m', undefined],
  ['paused', true, { isPaused: true }],
  ['paused', false, { isPaused: false }],
  ['paused', 'true', undefined],
])('%s: %j', (field, value, part) => {
  const { policy: _, ...spec } = specOf(5, part);
  const { allowed } = Object.values(policyFields(limits)).find((each) => each.field === field) ?? {};
  const refused = { kind: 'invalid', field, value: value ?? undefined, allowed };
  const valid = { kind: 'valid', capture: spec };
  expect(parsePolicySpec({ files: 5, [field]: value }, limits)).toEqual(part ? valid : refused);
});

test.each<[expires: unknown, ms: number | undefined]>([
  ['2027-01-31T18:00:00Z', Date.UTC(2027, 0, 31, 18)],
  ['2027-01-31t18:00:00z', undefined],
  ['0000-01-01T00:00:00Z', undefined],
  ['0001-01-01T00:00:00Z', Date.parse('0001-01-01T00:00:00Z')],
  ['2027-01-31T18:00:00.5+02:00', Date.UTC(2027, 0, 31, 16, 0, 0, 500)],
  ['2028-02-29T00:00:00Z', Date.UTC(2028, 1, 29)],
  ['2027-02-29T00:00:00Z', undefined],
  ['2027-02-30T00:00:00Z', undefined],
  ['2027-13-01T00:00:00Z', undefined],
  ['2027-01-31T24:00:00Z', undefined],
  ['2027-01-31T18:00:00', undefined],
  ['2027-01-31', undefined],
  ['tomorrow', undefined],
  [1_800_000_000, undefined],
])('expires: %j', (expires, ms) => {
  expect(expiryOf({ files: 1_000, expires })).toBe(ms);
  expect(parsePolicySpec({ files: 5, expires }, limits).kind).toBe(ms === undefined ? 'invalid' : 'valid');
});

test('a policy needs the number of files', () => {
  expect(parsePolicySpec({}, limits)).toMatchObject({ kind: 'invalid', field: 'files', value: undefined });
});

test.each<[field: string, near: string | undefined]>([
  ['filtr', 'filter'],
  ['filesize', 'fileSize'],
  ['sampling', undefined],
  ['x'.repeat(100_000), undefined],
])('an unknown field refuses the policy', (field, near) => {
  const read = parsePolicySpec({ files: 5, [field]: 'in', selector: {} }, limits);
  expect(read).toMatchObject({ kind: 'unknown', field, near });
  expect(parsePolicySpec({ files: 5, [field]: null }, limits)).toMatchObject({ kind: 'valid' });
});

test('a policy asks for the same as the annotations do without further values', () => {
  const read = parsePolicySpec({ files: 5 }, limits);
  const own = requestOf(podWith({ annotations: { 'tcpdump.antrea.io': '5' } }), limits);
  if (read.kind !== 'valid' || own.kind !== 'capture') throw new Error('refused');
  expect({ ...read.capture, policy: undefined }).toEqual(own.spec);
});

test('there is a field for every annotation but the one that freezes by hand', () => {
  const annotations = Object.keys(annotationRules(limits)).filter((name) => name !== 'freeze');
  expect(Object.keys(policyFields(limits)).toSorted()).toEqual([...annotations, 'expires'].toSorted());
});
