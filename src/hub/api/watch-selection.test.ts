import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Capture } from '../../api/capture.ts';
import type { ObjectChange } from '../captures/captures.ts';
import { testCapture } from './testing/memory-captures.ts';
import { type WatchSelectionOptions, watchSelection } from './watch-selection.ts';

const matching = testCapture({ labels: { app: 'web' }, version: '1' });
const other = testCapture({ labels: { app: 'db' }, version: '2' });

function select(options: Partial<WatchSelectionOptions> = {}) {
  return watchSelection({
    isSelected: ({ metadata }) => metadata.labels?.['app'] === 'web',
    mayLeave: true,
    isResumed: false,
    mayHave: () => true,
    forgetsUnknown: true,
    ...options,
  });
}

function change(kind: ObjectChange['kind'], capture: Capture): ObjectChange {
  return { kind, capture };
}

describe('a watch with a selector', () => {
  test('adds what begins to match and deletes what no longer does', () => {
    const step = select();
    expect(step(change('added', other), other)).toBeUndefined();
    expect(step(change('modified', matching), matching)).toEqual({ type: 'ADDED', capture: matching });
    expect(step(change('modified', matching), matching)).toEqual({ type: 'MODIFIED', capture: matching });
    expect(step(change('modified', other), other)).toEqual({ type: 'DELETED', capture: other });
    expect(step(change('modified', other), other)).toBeUndefined();
    expect(step(change('deleted', other), other)).toBeUndefined();
  });

  test('that goes on tells a program once of what it may have and does not match', () => {
    const step = select({ isResumed: true });
    expect(step(change('modified', other), other)).toEqual({ type: 'DELETED', capture: other });
    expect(step(change('modified', other), other)).toBeUndefined();
    expect(step(change('modified', matching), matching)).toEqual({ type: 'MODIFIED', capture: matching });
    expect(step(change('deleted', matching), matching)).toEqual({ type: 'DELETED', capture: matching });
  });

  test('that goes on tells a program of what was deleted whose labels are not known, or were others', () => {
    const unlabelled = testCapture({ version: '3' });
    for (const gone of [unlabelled, other]) {
      const step = select({ isResumed: true });
      const { name, namespace, uid, resourceVersion, creationTimestamp } = gone.metadata;
      expect(step(change('deleted', gone), gone)).toEqual({
        type: 'DELETED',
        capture: {
          ...gone,
          metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
          status: { recordings: [] },
        },
      });
    }
  });

  test('that goes on has said once that something is gone', () => {
    const step = select({ isResumed: true });
    expect(step(change('modified', other), other)).toBeDefined();
    expect(step(change('deleted', other), other)).toBeUndefined();
  });

  test('that goes on tells a person nothing of what does not match', () => {
    const step = select({ isResumed: true, forgetsUnknown: false });
    expect(step(change('modified', other), other)).toBeUndefined();
    expect(step(change('deleted', other), other)).toBeUndefined();
    expect(step(change('deleted', matching), matching)).toEqual({ type: 'DELETED', capture: matching });
  });
});

describe('a capture that is older than its namespace', () => {
  const bare = {
    ...matching,
    metadata: {
      name: 'web-0',
      namespace: 'shop',
      uid: matching.metadata.uid,
      resourceVersion: '1',
      creationTimestamp: matching.metadata.creationTimestamp,
    },
    status: { recordings: [] },
  };

  test.for([
    ['a watch from now on', { isResumed: false }],
    ['a client that cannot have it', { isResumed: true, mayHave: () => false }],
    ['a person', { isResumed: true, forgetsUnknown: false }],
  ] as const)('is not sent to %s', ([, options]) => {
    const step = select(options);
    expect(step(change('added', matching), undefined)).toBeUndefined();
    expect(step(change('deleted', matching), undefined)).toBeUndefined();
  });

  test('is deleted with nothing but its name for a program that may have it from before', () => {
    for (const kind of ['modified', 'deleted'] as const) {
      const step = select({ isResumed: true, mayHave: (capture) => capture === matching });
      expect(step(change(kind, matching), undefined)).toEqual({ type: 'DELETED', capture: bare });
    }
  });

  test('is deleted with nothing but its name where it was sent before', () => {
    const step = select();
    step(change('added', matching), matching);
    expect(step(change('modified', matching), undefined)).toEqual({ type: 'DELETED', capture: bare });
  });

  test('is deleted with nothing but its name for who watches all namespaces', () => {
    const step = select({ mayLeave: false, isSelected: () => true });
    expect(step(change('modified', matching), undefined)).toBeUndefined();
    expect(step(change('deleted', matching), undefined)).toEqual({ type: 'DELETED', capture: bare });
  });
});

test.for([
  ['deleted', { isResumed: false }],
  ['deleted', { isResumed: true }],
  ['deleted', { mayLeave: false }],
  ['modified', { isResumed: false }],
  ['modified', { isResumed: true }],
] as const)(
  'a recording that is older than the namespace is not sent when the capture is %s: %o',
  ([kind, options]) => {
    const [younger] = matching.status.recordings;
    if (!younger) throw new Error('no recording');
    const whole = { ...matching, status: { recordings: [younger, { ...younger, uid: 'of-former-owner' }] } };
    const hasLeft = { ...whole, metadata: { ...whole.metadata, labels: { app: 'db' } } };
    const changed = kind === 'deleted' ? whole : hasLeft;
    const served = { ...changed, status: { recordings: [younger] } };
    const step = select(options);
    step(change('added', matching), matching);
    expect(step(change(kind, changed), served)).toEqual({ type: 'DELETED', capture: served });
  },
);

test('without a selector, changes are passed on', () => {
  const step = select({ mayLeave: false, isSelected: () => true });
  expect(step(change('added', other), other)).toEqual({ type: 'ADDED', capture: other });
  expect(step(change('modified', other), other)).toEqual({ type: 'MODIFIED', capture: other });
  expect(step(change('deleted', other), other)).toEqual({ type: 'DELETED', capture: other });
});

test('whatever happens, a client that applies the events has what is selected', () => {
  const step = fc.record({
    name: fc.constantFrom('a', 'b'),
    app: fc.constantFrom('web', 'db'),
    kind: fc.constantFrom('put', 'remove'),
    isHidden: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const selection = select();
      const [server, client] = [new Map<string, Capture>(), new Map<string, Capture>()];
      for (const { name, app, kind, isHidden } of steps) {
        const capture = testCapture({ name, labels: { app } });
        const known = server.get(name);
        if (kind === 'remove' && !known) continue;
        const changed: ObjectChange =
          kind === 'remove'
            ? change('deleted', known ?? capture)
            : change(known ? 'modified' : 'added', capture);
        if (kind === 'remove') server.delete(name);
        else server.set(name, capture);
        const visible = isHidden ? undefined : changed.capture;
        const event = selection(changed, visible);
        expect(event === undefined || client.has(name) === (event.type !== 'ADDED')).toBe(true);
        if (event?.type === 'DELETED') client.delete(name);
        else if (event) client.set(name, event.capture);
        const isExpected = kind === 'put' && !isHidden && app === 'web';
        expect(client.get(name)).toEqual(isExpected ? capture : undefined);
      }
    }),
  );
});
