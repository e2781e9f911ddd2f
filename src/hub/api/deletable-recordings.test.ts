import { describe, expect, test } from 'vitest';
import { deletableRecordings } from './deletable-recordings.ts';
import { testCapture, testRecording } from './testing/memory-captures.ts';

const live = testRecording({ uid: 'live' });
const ended = testRecording({ uid: 'ended', phase: 'Ended' });
const older = testRecording({ uid: 'older', phase: 'Ended' });
const elsewhere = testRecording({ uid: 'elsewhere', node: 'node-b' });
/** As the hub shows a UID that several Nodes claim. */
const claimed = testRecording({ uid: 'ended', phase: 'Unknown', reason: 'Conflict' });

describe('deletableRecordings', () => {
  const capture = testCapture({ recordings: [ended, older], version: '7' });
  const { uid } = capture.metadata;
  const everything = { uid: undefined, node: undefined, resourceVersion: undefined };

  test.each([
    ['all that have ended', capture, {}, [ended, older]],
    ['by the UID of the capture', capture, { uid }, [ended, older]],
    ['by the UID of a recording', capture, { uid: 'older' }, [older]],
    ['an ended one beside a live one', testCapture({ recordings: [live, ended] }), { uid: 'ended' }, [ended]],
    ['at its resourceVersion', capture, { resourceVersion: '7' }, [ended, older]],
    [
      'what one Node has, beside a live one of another Node',
      testCapture({ recordings: [elsewhere, ended] }),
      { node: 'node-a' },
      [ended],
    ],
    [
      'what another Node claims too, if the Node is named',
      testCapture({ recordings: [claimed, { ...claimed, node: 'node-b' }] }),
      { node: 'node-a' },
      [claimed],
    ],
  ] as const)('deletes %s', (_, from, asked, expected) => {
    expect(deletableRecordings(from, { ...everything, ...asked })).toEqual(expected);
  });

  test.each([
    [
      'a live one',
      [live, ended],
      {},
      409,
      /^Pod live .*annotation tcpdump.antrea.io or the CapturePolicy.*uid= with one of ended$/,
    ],
    ['a live one alone', [live], {}, 409, /CapturePolicy that selects it first$/],
    ['a live one by its UID', [live, ended], { uid: 'live' }, 409, /CapturePolicy that selects it first$/],
    ...(['Waiting', 'Paused', 'Refused', 'Failed'] as const).map(
      (phase) =>
        [phase, [testRecording({ phase })], {}, 409, new RegExp(`still to be captured .${phase}.`)] as const,
    ),
    ['what it has not', [ended], { uid: 'other' }, 409, /neither the capture nor one of its recordings/],
    ['what the Node has not', [ended], { node: 'node-b' }, 409, /none of the .* is of Node node-b$/],
    [
      'what several Nodes claim',
      [claimed, { ...claimed, node: 'node-b' }],
      {},
      409,
      /same recording of Pod web-0 in namespace shop: node-a, node-b; .* add the parameter node= with the Node/,
    ],
    ['another resourceVersion', [ended], { resourceVersion: '6' }, 409, /name the uid of a recording/],
    [
      'what no agent has',
      [testRecording({ phase: 'Unknown' })],
      {},
      503,
      /agent of Node node-a.*not connected/,
    ],
  ] as const)('does not delete %s', (_, recordings, asked, code, message) => {
    const refused = deletableRecordings(testCapture({ recordings, version: '7' }), {
      ...everything,
      ...asked,
    });
    expect(refused).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
