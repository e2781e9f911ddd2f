import { describe, expect, test } from 'vitest';
import { mostLimits } from '../../agent/planner/annotations.ts';
import { parsePolicySpec } from '../../agent/planner/policy-fields.ts';
import { parseLabelSelector } from '../../kubernetes/label-selector.ts';
import { policySpec, selectorFields } from './policy-manifest.ts';
import { givenArguments } from './testing/request-objects.ts';
import { wantedCapture } from './wanted-capture.ts';

function selectorOf(text: string) {
  const selector = parseLabelSelector(text);
  if ('kind' in selector) throw new Error(selector.message);
  return selector;
}

const everything = {
  files: '50',
  'file-size': '10',
  interface: 'eth0,lo',
  filter: 'tcp port 80',
  snaplen: '128',
  duration: '10m',
  'freeze-on': 'restart,failed',
  'freeze-after': '1m',
};

describe('the spec of a policy', () => {
  test('asks for all that annotations ask for', () => {
    const wanted = wantedCapture(givenArguments([], everything));
    const spec = policySpec(wanted, { selector: selectorOf('app=web'), expires: '2026-12-01T00:00:00Z' });
    expect(spec).toEqual({
      selector: { matchLabels: { app: 'web' } },
      files: 50,
      fileSize: 10,
      interfaces: ['eth0', 'lo'],
      filter: 'tcp port 80',
      snaplen: 128,
      duration: '10m',
      freezeOn: ['restart', 'failed'],
      freezeAfter: '1m',
      expires: '2026-12-01T00:00:00Z',
    });
    const { policy: _, ...capture } = wanted.spec;
    expect(parsePolicySpec(spec, mostLimits)).toEqual({ kind: 'valid', capture });
  });

  test('has only what is asked for', () => {
    const wanted = wantedCapture(givenArguments([]));
    expect(policySpec(wanted, { selector: selectorOf('app'), expires: undefined })).toEqual({
      selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] },
      files: 5,
    });
  });
});

test.each([
  ['', { matchLabels: {} }],
  ['app=web,tier in (front)', { matchLabels: { app: 'web', tier: 'front' } }],
  [
    'a in (x,y),b!=z,!c,d,e=1,e=2',
    {
      matchLabels: { e: '1' },
      matchExpressions: [
        { key: 'a', operator: 'In', values: ['x', 'y'] },
        { key: 'b', operator: 'NotIn', values: ['z'] },
        { key: 'c', operator: 'DoesNotExist' },
        { key: 'd', operator: 'Exists' },
        { key: 'e', operator: 'In', values: ['2'] },
      ],
    },
  ],
])('-l %j selects the same Pods', (text, fields) => {
  expect(selectorFields(selectorOf(text))).toEqual(fields);
});
