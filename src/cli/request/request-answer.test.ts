import { describe, expect, test } from 'vitest';
import type { CaptureRecording } from '../../api/capture.ts';
import { requestAnswer } from './request-answer.ts';
import { givenArguments, recording } from './testing/request-objects.ts';
import { wantedCapture } from './wanted-capture.ts';

const later = '2026-11-30T19:05:00.000Z';
const http = { files: 5, fileMegabytes: 1, filter: 'tcp' };
const asked = wantedCapture(givenArguments([], { filter: 'tcp' })).spec;

type Case = [
  what: string,
  before: CaptureRecording | undefined,
  now: Partial<CaptureRecording>,
  answer: [kind: string, isCertain: boolean] | undefined,
];

describe('what a recording answers to a request', () => {
  test.each<Case>([
    ['a new capture', undefined, { requested: http }, ['capturing', true]],
    ['a new capture of something else', undefined, {}, undefined],
    ['the capture before', recording(), {}, undefined],
    [
      'the new values, and whether they are captured is not certain',
      recording(),
      { requested: http },
      ['capturing', false],
    ],
    [
      'the new values in a new phase',
      recording({ phase: 'Paused' }),
      { requested: http, phaseSince: later },
      ['capturing', true],
    ],
    ['other interfaces', undefined, { requested: http, interfaces: ['lo'] }, undefined],
    [
      'a part of the interfaces refused',
      recording(),
      { requested: http, reason: 'NoSuchInterface', message: 'x' },
      ['capturing', false],
    ],
    [
      'a new refusal, though of values that are not shown',
      recording(),
      { phase: 'Refused', phaseSince: later },
      ['refused', true],
    ],
    ['the first refusal', undefined, { phase: 'Refused' }, ['refused', true]],
    [
      'the refusal before',
      recording({ phase: 'Refused', message: 'x' }),
      { phase: 'Refused', message: 'x' },
      undefined,
    ],
    [
      'another refusal',
      recording({ phase: 'Refused', message: 'x' }),
      { phase: 'Refused', message: 'y' },
      ['refused', true],
    ],
    [
      'the refusal before, of the new values',
      recording({ phase: 'Refused' }),
      { phase: 'Refused', requested: http },
      ['refused', false],
    ],
    ['a failure', undefined, { phase: 'Failed', message: 'x' }, ['failed', true]],
    [
      'a duration that is over',
      recording({ phase: 'Capturing' }),
      { phase: 'Ended', phaseSince: later },
      ['ended', true],
    ],
    ['waiting', undefined, { phase: 'Waiting', requested: http }, undefined],
    ['not decided', undefined, { phase: 'Unknown', requested: http }, undefined],
    ['paused, as before', recording({ phase: 'Paused' }), { phase: 'Paused', requested: http }, undefined],
    [
      'of a policy',
      undefined,
      { requested: http, requestedBy: { kind: 'CapturePolicy', name: 'p' } },
      undefined,
    ],
  ])('%s', (_, before, now, answer) => {
    const found = requestAnswer(recording(now), { spec: asked, before });
    expect(found && [found.kind, found.isCertain]).toEqual(answer);
  });

  test.each<Case>([
    ['paused', recording(), { phase: 'Paused', phaseSince: later }, ['paused', true]],
    ['still captured', recording(), { requested: http }, undefined],
    ['refused', recording(), { phase: 'Refused', phaseSince: later }, ['refused', true]],
  ])('that is paused: %s', (_, before, now, answer) => {
    const found = requestAnswer(recording(now), { spec: { ...asked, isPaused: true }, before });
    expect(found && [found.kind, found.isCertain]).toEqual(answer);
  });

  test('of a policy is that of the policy by its name', () => {
    const spec = { ...asked, policy: 'p' };
    const of = (name: string) =>
      requestAnswer(recording({ requested: http, requestedBy: { kind: 'CapturePolicy', name } }), {
        spec,
        before: undefined,
      });
    expect(of('p')).toEqual({ kind: 'capturing', isCertain: true });
    expect(of('q')).toBeUndefined();
  });

  test('is the same though captures show a filter without what a terminal acts on', () => {
    const spec = { ...asked, filter: 'tcp \u202e port 80' };
    const shown = recording({ requested: { ...http, filter: 'tcp   port 80' } });
    expect(requestAnswer(shown, { spec, before: undefined })).toMatchObject({ kind: 'capturing' });
  });
});
