import { describe, expect, test } from 'vitest';
import type { CaptureRecording } from '../../api/capture.ts';
import { conflictingNodes, namedRecording } from './named-recording.ts';

/** As the hub shows a UID that two Nodes claim. */
const conflict = ['a:1 Unknown Conflict', 'b:1 Unknown Conflict'] as const;
const any = { uid: undefined, node: undefined };

/** The newest first, as `a:2 Ended`: the Node, the UID of the Pod, the phase and the reason. */
function recordings(...texts: readonly string[]): readonly CaptureRecording[] {
  return texts.map((text) => {
    const [, node = '', uid = '', phase = '', reason] = /^(\w+):(\w+) (\w+)(?: (\w+))?$/.exec(text) ?? [];
    return {
      ...plain,
      uid,
      node,
      phase: phases.find((each) => each === phase) ?? 'Failed',
      ...(reason !== undefined && { reason }),
    };
  });
}

const phases = ['Capturing', 'Waiting', 'Paused', 'Refused', 'Ended', 'Unknown'] as const;
const plain = {
  phaseSince: '2026-11-30T10:00:00Z',
  startTime: '2026-11-30T10:00:00Z',
  interfaces: ['eth0'],
  requestedBy: { kind: 'Annotation' },
  files: 1,
  bytes: 24,
} as const;

describe('namedRecording', () => {
  test.for([
    ['the only one', ['a:1 Capturing'], any, 'a:1'],
    ['the newest of one Node', ['a:2 Capturing', 'a:1 Capturing'], any, 'a:2'],
    ['the newest of a Pod that has moved', ['b:2 Capturing', 'a:1 Ended'], any, 'b:2'],
    ['the newest, if the agent before it is lost', ['b:2 Capturing', 'a:1 Unknown AgentLost'], any, 'b:2'],
    ['the newest of a Node', ['b:3 Capturing', 'a:2 Ended', 'a:1 Ended'], { node: 'a' }, 'a:2'],
    ['that of a UID', ['b:2 Capturing', 'a:1 Capturing'], { uid: '1' }, 'a:1'],
    ['that of a UID that another Node claims', conflict, { uid: '1', node: 'b' }, 'b:1'],
    ['the newest of a Node, though all are claimed', conflict, { node: 'a' }, 'a:1'],
  ] as const)('is %s', ([, from, asked, expected]) => {
    const named = namedRecording(recordings(...from), { ...any, ...asked });
    if (named.kind !== 'recording') throw new Error(named.kind);
    expect(`${named.recording.node}:${named.recording.uid}`).toBe(expected);
  });

  test.for([
    ['the same UID', conflict, any],
    ['the same UID, which is named', conflict, { uid: '1' }],
    ['a Pod of the name that is still there', ['b:2 Capturing', 'a:1 Capturing'], any],
    ...(['Waiting', 'Paused', 'Refused'] as const).map(
      (phase) => [`one that is ${phase}`, ['b:2 Ended', `a:1 ${phase}`], any] as const,
    ),
    ['one whose state nobody knows, because its UID is claimed', ['b:2 Ended', ...conflict], any],
  ] as const)('is contested by %s', ([, from, asked]) => {
    expect(namedRecording(recordings(...from), { ...any, ...asked })).toEqual({
      kind: 'contested',
      nodes: ['a', 'b'],
    });
  });

  test.for([[{ uid: '9' }], [{ node: 'c' }], [{ uid: '1', node: 'b' }]] as const)(
    'there is none of %j',
    ([asked]) => {
      const named = namedRecording(recordings('b:2 Capturing', 'a:1 Ended'), { ...any, ...asked });
      expect(named).toEqual({ kind: 'absent' });
    },
  );
});

test('conflictingNodes are those that claim a UID which another Node claims', () => {
  expect(conflictingNodes(recordings('c:2 Ended', ...conflict))).toEqual(['a', 'b']);
  expect(conflictingNodes(recordings('a:3 Ended', 'a:2 Ended', 'b:1 Ended'))).toEqual([]);
});
