import fc from 'fast-check';
import { expect, test } from 'vitest';
import { captureAnnotation, requestOf } from './request.ts';

const limits = { maxFiles: 100 };
const pod = (value: string | undefined, hostNetwork = false) => ({
  annotations: value === undefined ? {} : { [captureAnnotation]: value },
  hostNetwork,
});

test.each([
  ['1', 1],
  ['5', 5],
  ['100', 100],
  ['007', 7],
])('%j asks for %d capture files', (value, files) => {
  expect(requestOf(pod(value), limits)).toEqual({ kind: 'capture', files });
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
])('%j is refused by a message that names it and the range', (value, shown) => {
  const request = requestOf(pod(value), limits);
  expect(request).toEqual({
    kind: 'refused',
    reason: 'InvalidAnnotation',
    message: `annotation tcpdump.antrea.io=${shown}: a whole number of capture files from 1 to 100 is allowed`,
  });
});

test('a Pod without the annotation asks for nothing', () => {
  expect(requestOf(pod(undefined), limits)).toEqual({ kind: 'none' });
  expect(requestOf(pod(undefined, true), limits)).toEqual({ kind: 'none' });
});

test('a Pod on the host network is refused', () => {
  expect(requestOf(pod('5', true), limits)).toMatchObject({ kind: 'refused', reason: 'HostNetwork' });
});

test('every string is either a number within the limits or refused with a message', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.integer().map(String)), (value) => {
      const request = requestOf(pod(value), limits);
      const isAllowed = /^[0-9]{1,9}$/.test(value) && Number(value) >= 1 && Number(value) <= 100;
      expect(request).toMatchObject(
        isAllowed
          ? { kind: 'capture', files: Number(value) }
          : { kind: 'refused', reason: 'InvalidAnnotation' },
      );
    }),
  );
});
