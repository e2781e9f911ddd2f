import { loadYaml } from '@kubernetes/client-node';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { testCapture } from '../../hub/api/testing/memory-captures.ts';
import { yamlText } from './yaml-text.ts';

test('a capture looks as kubectl prints it', () => {
  const { status, ...others } = testCapture({ labels: { app: 'web', 'a/b': 'yes' } });
  expect(
    yamlText({ ...others, status: { recordings: status.recordings, none: [], empty: {} } }),
  ).toBe(`apiVersion: podcap.dev/v1alpha1
kind: Capture
metadata:
  name: web-0
  namespace: shop
  uid: uid-of-shop-web-0
  resourceVersion: "100"
  creationTimestamp: "2026-11-30T12:00:00Z"
  labels:
    app: web
    a/b: "yes"
status:
  recordings:
  - uid: "0a1b2c3d-0000-4000-8000-000000000001"
    node: node-a
    phase: Capturing
    phaseSince: "2026-11-30T12:00:05Z"
    startTime: "2026-11-30T12:00:00Z"
    interfaces:
    - eth0
    requested:
      files: 3
      fileMegabytes: 1
      filter: tcp port 80
    requestedBy:
      kind: Annotation
    files: 3
    bytes: 2500000
    packets: 1234
    dropped: 0
  none: []
  empty: {}
`);
});

test('a parser of YAML reads every value back', () => {
  const words = fc.constantFrom(
    'true',
    'No',
    '~',
    'null',
    '1e3',
    '0x1',
    '.5',
    '- a',
    'a: b',
    'a #b',
    '',
    '<<',
    '=',
  );
  const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), words);
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      text,
      fc.integer(),
      fc
        .double({ noNaN: true, noDefaultInfinity: true })
        .map((number) => (Object.is(number, -0) ? 0 : number)),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value')),
      fc.dictionary(text, tie('value'), { noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(value, (each) => {
      expect(loadYaml(yamlText({ each }))).toEqual({ each });
    }),
  );
});

test('no character acts on a terminal', () => {
  expect(yamlText({ 'a\u009b': 'b\u001b[2J\u202e' })).toBe(`${String.raw`"a\u009b": "b\u001b[2J\u202e"`}\n`);
});
