import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CaptureSpec } from '../planner/annotations.ts';
import { specOf } from '../testing/fixtures.ts';
import { type Act, act, newWorld, settle, type World } from './testing/world-of-one-pod.ts';

const freeze = { on: ['restart'], afterMs: 5_000, text: undefined } as const;
const freezing = [specOf(3, { freeze }), specOf(3, { freeze, interfaces: ['eth0', 'lo'] })];
const specs = [...freezing, specOf(5), specOf(3), specOf(5, { filter: 'udp' }), specOf(5, { snaplen: 96 })];
const elsewhere = ['lo', 'net1'].flatMap((name) =>
  [96, undefined].map((snaplen) => specOf(5, { interfaces: [name], snaplen })),
);
/** Several interfaces, one of which may be missing. */
const several = [
  ['eth0', 'lo'],
  ['lo', 'eth0'],
  ['eth0', 'net7'],
  ['lo', 'net1'],
  ['eth0', 'lo', 'net1', 'net7'],
].flatMap((interfaces) => [96, undefined].map((snaplen) => specOf(5, { interfaces, snaplen })));
const unwilling = specOf(5, { filter: 'too heavy' });
const unknown = specOf(5, { interfaces: ['net7'] });

/** What the plan can decide, in any order. */
const decisions = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: 'delete' } as const) },
  {
    weight: 4,
    arbitrary: fc
      .constantFrom(...specs, ...elsewhere, ...several, unwilling, unknown)
      .map((spec) => ({ kind: 'record', spec }) as const),
  },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom('refuse', 'keepEnded', 'keepDuration', 'forget')
      .map((kind) => ({ kind }) as const),
  },
);

const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 3, arbitrary: decisions.map((decision) => ({ kind: 'decide', decision }) as const) },
  { weight: 2, arbitrary: fc.nat(40_000).map((ms) => ({ kind: 'pass', ms }) as const) },
  {
    weight: 8,
    arbitrary: fc
      .tuple(fc.nat(3), fc.integer({ min: 0, max: 4 }))
      .map(([which, fails]) => ({ kind: 'endStep', which, succeeds: fails > 0 }) as const),
  },
  { weight: 3, arbitrary: fc.nat(3).map((which) => ({ kind: 'listen', which }) as const) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.nat(3), fc.constantFrom('failed', 'interfaceGone'))
      .map(([which, cause]) => ({ kind: 'endCapture', which, cause }) as const),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('same', 'next', 'absent', 'unreadable')
      .map((to) => ({ kind: 'network', to }) as const),
  },
  { weight: 1, arbitrary: fc.nat(4).map((spareRings) => ({ kind: 'capacity', spareRings }) as const) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('net1', 'net7'), fc.boolean())
      .map(([name, exists]) => ({ kind: 'interface', name, exists }) as const),
  },
  { weight: 1, arbitrary: fc.boolean().map((confirms) => ({ kind: 'server', confirms }) as const) },
  { weight: 1, arbitrary: fc.constant({ kind: 'crash' } as const) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(3), fc.integer({ min: 1, max: 6 }))
      .map(([which, more]) => ({ kind: 'files', which, more }) as const),
  },
);

/** A Pod whose ring is frozen, while its request changes. */
const crashing: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(...freezing, specOf(3, { freeze, snaplen: 96 }), specOf(3))
      .map((spec) => ({ kind: 'decide', decision: { kind: 'record', spec } }) as const),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'crash' } as const) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.nat(3), fc.integer({ min: 1, max: 6 }))
      .map(([which, more]) => ({ kind: 'files', which, more }) as const),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(fc.nat(3), fc.integer({ min: 0, max: 9 }))
      .map(([which, fails]) => ({ kind: 'endStep', which, succeeds: fails > 0 }) as const),
  },
  { weight: 3, arbitrary: fc.nat(3).map((which) => ({ kind: 'listen', which }) as const) },
  { weight: 2, arbitrary: fc.constantFrom(200, 6_000, 30_000).map((ms) => ({ kind: 'pass', ms }) as const) },
);

/** People who cannot decide between interfaces. */
const backAndForth = (requests: readonly CaptureSpec[]): fc.Arbitrary<Act> =>
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc
        .constantFrom(...requests)
        .map((spec) => ({ kind: 'decide', decision: { kind: 'record', spec } }) as const),
    },
    { weight: 3, arbitrary: fc.nat(3).map((which) => ({ kind: 'endStep', which, succeeds: true }) as const) },
    { weight: 3, arbitrary: fc.nat(3).map((which) => ({ kind: 'listen', which }) as const) },
    { weight: 1, arbitrary: fc.nat(400).map((ms) => ({ kind: 'pass', ms }) as const) },
    { weight: 1, arbitrary: fc.nat(4).map((spareRings) => ({ kind: 'capacity', spareRings }) as const) },
  );

test.each([
  ['anything happens', fc.array(acts, { maxLength: 60, size: 'max' }), 4_000],
  [
    'an interface is asked for, and another one',
    fc
      .array(backAndForth([specOf(5), specOf(5, { snaplen: 96 }), ...elsewhere.slice(0, 2)]), {
        maxLength: 40,
        size: 'max',
      })
      .map((history): Act[] => [{ kind: 'network', to: 'same' }, ...history]),
    4_000,
  ],
  [
    'some interfaces are asked for, and others',
    fc
      .array(backAndForth([specOf(5), ...elsewhere, ...several]), { maxLength: 40, size: 'max' })
      .map((history): Act[] => [{ kind: 'network', to: 'same' }, ...history]),
    4_000,
  ],
  [
    'its container ends again and again',
    fc
      .array(crashing, { maxLength: 50, size: 'max' })
      .map((history): Act[] => [{ kind: 'network', to: 'same' }, ...history]),
    4_000,
  ],
] as const)(
  'once the world stops changing, what runs and what is on disk become what is desired, after %s',
  (_what, histories, numRuns) => {
    fc.assert(
      fc.property(histories, (history) => {
        const world = newWorld();
        for (const each of history) act(world, each);
        act(world, { kind: 'server', confirms: true });
        settle(world);
        expect(stateOf(world)).toEqual(desiredStateOf(world));
      }),
      { numRuns },
    );
  },
);

test('nothing waits for ever: what is not as desired is looked at again', () => {
  fc.assert(
    fc.property(fc.array(acts, { maxLength: 60, size: 'max' }), (history) => {
      const world = newWorld();
      for (const each of history) act(world, each);
      act(world, { kind: 'server', confirms: false });
      settle(world);
      const isDone = world.desired.kind !== 'erase' || (!world.folder && !world.recording);
      expect(isDone || world.wakeAtMs !== undefined).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});

/** What runs, by interface, and whether there is a folder; and a ring that is still being frozen. */
function stateOf({ captures, folder, recording, network, freeze: { ring } }: World) {
  return {
    freezing: ring,
    captures: captures
      .map(({ spec, network: { sandboxId }, phase }) => ({ spec, sandboxId, phase: phase.kind }))
      .toSorted((a, b) => a.spec.interface.localeCompare(b.spec.interface)),
    hasFolder: folder !== undefined,
    isRecording: recording !== undefined,
    network: network.kind,
  };
}

function desiredStateOf({ desired, network, folder, interfaces }: World): ReturnType<typeof stateOf> {
  const base = { network: network.kind, hasFolder: folder !== undefined, freezing: undefined };
  const nothing = { ...base, captures: [], isRecording: false };
  switch (desired.kind) {
    case 'rest':
    case 'finish':
      return nothing;
    case 'erase':
      return { ...nothing, hasFolder: false };
    case 'capture': {
      if (desired.rings.some(({ filter }) => filter === 'too heavy')) return nothing;
      const existing = desired.rings.filter((ring) => interfaces.has(ring.interface));
      const captures =
        network.kind === 'found'
          ? existing.map((spec) => {
              return { spec, sandboxId: network.network.sandboxId, phase: 'listening' as const };
            })
          : [];
      return {
        ...base,
        hasFolder: true,
        captures: captures.toSorted((a, b) => a.spec.interface.localeCompare(b.spec.interface)),
        isRecording: existing.length > 0 || network.kind !== 'found',
      };
    }
  }
}
