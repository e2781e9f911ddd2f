import { expect, test } from 'vitest';
import type { CaptureRecording } from '../../api/capture.ts';
import { testCapture, testRecording } from '../../hub/api/testing/memory-captures.ts';
import { isAnywhere, parseSortKey, sortedCaptures } from './sort-captures.ts';

function listed(name: string, fields: Partial<CaptureRecording>, labels?: Record<string, string>) {
  const capture = testCapture({
    name,
    recordings: [testRecording(fields)],
    ...(labels && { labels }),
  });
  return { capture, object: { ...capture, extra: name.length } };
}

const { packets: _, ...uncounted } = testRecording();
const captures = [
  listed('web-10', { bytes: 5, packets: 70, node: 'b' }, { 'app.kubernetes.io/name': 'x' }),
  listed('web-2', { bytes: 40, packets: 8, node: 'a', phaseSince: '2026-11-30T13:00:05Z' }),
  {
    ...listed('db', { bytes: 300, node: 'c' }, { 'app.kubernetes.io/name': 'a' }),
    capture: testCapture({ name: 'db', recordings: [{ ...uncounted, bytes: 300, node: 'c' }] }),
  },
];

test.each([
  ['name', 'db web-2 web-10'],
  ['SIZE', 'web-10 web-2 db'],
  ['packets', 'db web-2 web-10'],
  ['node', 'web-2 web-10 db'],
  ['since', 'web-2 web-10 db'],
  ['.metadata.name', 'db web-2 web-10'],
  ['{.metadata.name}', 'db web-2 web-10'],
  ['metadata.name', 'db web-2 web-10'],
  ['.status.recordings[0].bytes', 'web-10 web-2 db'],
  ["{.status['recordings'][0].node}", 'web-2 web-10 db'],
  [String.raw`.metadata.labels.app\.kubernetes\.io/name`, 'web-2 db web-10'],
  ["{.metadata.labels['app.kubernetes.io/name']}", 'web-2 db web-10'],
  ['.extra', 'db web-2 web-10'],
])('by %s: %s', (text, names) => {
  const key = parseSortKey(text);
  if (key.kind === 'problem') throw new Error(key.message);
  const sorted = sortedCaptures(captures, key);
  expect(sorted.map(({ capture }) => capture.metadata.name).join(' ')).toBe(names);
});

test.each(['nmae', '', '.', '{.status.recordings[*].bytes}', '{..name}', '.a[?(@.b)]', '{range .items}'])(
  '%j is no key',
  (text) => {
    expect(parseSortKey(text)).toMatchObject({
      kind: 'problem',
      message: expect.stringContaining('--sort-by takes a column (namespace, name, node,'),
    });
  },
);

test('a field that no capture has', () => {
  const key = parseSortKey('.status.reason');
  if (key.kind === 'problem') throw new Error(key.message);
  expect(isAnywhere(captures, key)).toBe(false);
  expect(isAnywhere(captures, { kind: 'field', steps: ['kind'] })).toBe(true);
});
