import { describe, expect, test } from 'vitest';
import type { CaptureRecording } from '../../api/capture.ts';
import { tableHead, tableRow } from './capture-table.ts';
import { testCapture, testRecording } from './testing/memory-captures.ts';

/** Half an hour after the recording of the tests began. */
const nowMs = Date.parse('2026-11-30T12:30:05Z');

function cellsOf(...recordings: readonly CaptureRecording[]) {
  return tableRow(testCapture({ recordings }), 'None', 'v1', nowMs);
}

function frozenRing(number: number) {
  return { number, time: '2026-11-30T12:00:00Z', causes: [], files: 1, bytes: 1 };
}

describe('a Table of captures', () => {
  test('has these columns', () => {
    expect(tableHead('v1', '5', true)).toEqual({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { resourceVersion: '5' },
      columnDefinitions: [
        ['Name', 'string', 'name', 0],
        ['Node', 'string', '', 0],
        ['State', 'string', '', 0],
        ['Files', 'integer', '', 0],
        ['Size', 'string', '', 0],
        ['Packets', 'string', '', 0],
        ['Dropped', 'string', '', 0],
        ['Since', 'string', '', 0],
        ['Age', 'string', '', 0],
        ['Frozen', 'string', '', 1],
        ['Filter', 'string', '', 1],
        ['UID', 'string', '', 1],
      ].map(([name, type, format, priority]) => ({
        name,
        type,
        format,
        description: expect.stringMatching(/^[A-Z].*[.]$/),
        priority,
      })),
    });
    expect(tableHead('v1beta1', '5', false)).toEqual({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1beta1',
      metadata: { resourceVersion: '5' },
    });
  });

  test.each([
    [
      'a capture that runs',
      [testRecording({ frozen: [frozenRing(1), frozenRing(3)] })],
      [
        'web-0',
        'node-a',
        'Capturing',
        3,
        '2.4Mi',
        '1234',
        '0',
        '30m',
        '30m',
        '1,3',
        'tcp port 80',
        testRecording().uid,
      ],
    ],
    [
      'what is not known',
      [testRecording({ phase: 'Unknown', phaseSince: 'x', uid: 'u' })].map(
        ({ packets: _packets, dropped: _dropped, requested: _requested, ...rest }) => rest,
      ),
      [
        'web-0',
        'node-a',
        'Unknown',
        3,
        '2.4Mi',
        '<unknown>',
        '<unknown>',
        '<unknown>',
        '30m',
        '<none>',
        '<none>',
        'u',
      ],
    ],
    [
      'a refusal with its reason, and what a terminal would act on as an escape',
      [
        testRecording({
          phase: 'Refused',
          reason: 'InvalidFilter',
          requested: { files: 1, fileMegabytes: 1, filter: 'a\nb\u001b[2J' },
          uid: 'u',
        }),
      ],
      [
        'web-0',
        'node-a',
        'Refused:InvalidFilter',
        3,
        '2.4Mi',
        '1234',
        '0',
        '30m',
        '30m',
        '<none>',
        'a\\u000ab\\u001b[2J',
        'u',
      ],
    ],
    [
      'the newest of two recordings',
      [
        testRecording({ phase: 'Failed', reason: 'TcpdumpFailed', node: 'node-b', uid: 'u' }),
        testRecording(),
      ],
      [
        'web-0',
        'node-b',
        'Failed:TcpdumpFailed',
        3,
        '2.4Mi',
        '1234',
        '0',
        '30m',
        '30m',
        '<none>',
        'tcp port 80',
        'u',
      ],
    ],
  ])('shows %s', (_, recordings, cells) => {
    expect(cellsOf(...recordings)).toEqual({ cells });
  });

  test('has of the object what was asked for', () => {
    const capture = testCapture({ labels: { app: 'web' } });
    expect(tableRow(capture, 'Metadata', 'v1beta1', nowMs)).toMatchObject({
      object: {
        kind: 'PartialObjectMetadata',
        apiVersion: 'meta.k8s.io/v1beta1',
        metadata: capture.metadata,
      },
    });
    expect(tableRow(capture, 'Object', 'v1', nowMs)).toHaveProperty('object', capture);
    expect(tableRow(capture, 'None', 'v1', nowMs)).not.toHaveProperty('object');
  });
});
