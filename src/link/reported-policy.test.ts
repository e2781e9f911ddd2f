import * as v from 'valibot';
import { expect, test } from 'vitest';
import { reportedRecordingSchema } from './protocol.ts';

test.each([
  ['web-crashes.v2', true],
  ['a', true],
  ['web; rm -rf .', false],
  ['$(id)', false],
  ['Web', false],
  ['-web', false],
  ['web..a', false],
  ['', false],
])('an agent can only name a policy that can exist: %j', (name, isValid) => {
  const time = '2026-11-30T19:00:00.000Z';
  const status = {
    phase: 'Capturing',
    phaseSince: time,
    startTime: time,
    interfaces: ['eth0'],
    requestedBy: { kind: 'CapturePolicy', name },
    files: 1,
    bytes: 1,
  };
  const recording = { namespace: 'shop', name: 'web', uid: 'u', status };
  expect(v.safeParse(reportedRecordingSchema, recording).success).toBe(isValid);
});
