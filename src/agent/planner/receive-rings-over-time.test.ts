import { array, assert, boolean, constantFrom, nat, oneof, property, record } from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ReceiveRing,
  type ReceiveRingLimits,
  receiveRingSizes,
  reservedRingBytes,
  silentMs,
} from './receive-rings.ts';

/** A Node on which captures start, end, change, drop packets and fall silent, and handovers take their time. */
function simulate(limits: ReceiveRingLimits, events: readonly NodeEvent[]) {
  const rings = new Map<string, ReceiveRing>();
  const handovers = new Map<string, number>();
  let nowAtMs = 0;
  let mostKib = 0;
  const change = (key: string, more: Partial<ReceiveRing>) => {
    const present = rings.get(key);
    if (present) rings.set(key, { ...present, ...more });
  };
  const evaluate = () => receiveRingSizes([...rings.values()], limits, nowAtMs);
  const isDue = ({ key, kib, replacedKib, isReplaced }: ReceiveRing) =>
    replacedKib === 0 && (kib !== evaluate().kib.get(key) || isReplaced);
  /** Starts one tcpdump; the one before runs on until its handover ends. */
  const begin = (each: ReceiveRing) => {
    const kib = evaluate().kib.get(each.key) ?? Number.NaN;
    if (each.kib !== undefined && kib !== each.kib && !each.isReplaced) {
      handovers.set(each.key, (handovers.get(each.key) ?? 0) + 1);
    }
    const replacedKib = each.kib ?? 0;
    change(each.key, { kib, replacedKib, isReplaced: false, isFull: false, silentSinceMs: undefined });
    if (replacedKib === 0) change(each.key, { silentSinceMs: nowAtMs });
  };
  const beginDue = (most: number) => {
    for (let begun = 0; begun < most; begun += 1) {
      const due = [...rings.values()].find(isDue);
      if (!due) return;
      begin(due);
      count();
    }
  };
  const count = () => {
    const sum = [...rings.values()].reduce((total, { kib = 0, replacedKib }) => total + kib + replacedKib, 0);
    mostKib = Math.max(mostKib, sum);
  };
  const finish = () => {
    for (const [key, { replacedKib }] of rings)
      if (replacedKib > 0) change(key, { replacedKib: 0, silentSinceMs: nowAtMs });
  };
  for (const { kind, ring: index, many: most } of events) {
    const key = `${index}`;
    if (kind === 'start' && rings.size < limits.maxRings && !rings.has(key)) rings.set(key, notStarted(key));
    if (kind === 'end') rings.delete(key);
    if (kind === 'full') change(key, { isFull: true });
    if (kind === 'change' && rings.get(key)?.kib !== undefined) change(key, { isReplaced: true });
    if (kind === 'packet' && rings.get(key)?.silentSinceMs !== undefined)
      change(key, { silentSinceMs: nowAtMs });
    if (kind === 'pass') nowAtMs += silentMs / 2;
    if (kind === 'handedOver') finish();
    beginDue(most);
    count();
  }
  return {
    mostKib,
    /** Until nothing changes: how many times each ring was replaced to change its size. */
    settle() {
      handovers.clear();
      for (let rounds = 0; rounds < 4; rounds += 1) {
        beginDue(Number.POSITIVE_INFINITY);
        finish();
      }
      return { handovers: [...handovers.values()], isSettled: ![...rings.values()].some(isDue) };
    },
  };
}

const kinds = [
  'start',
  'start',
  'end',
  'full',
  'full',
  'change',
  'packet',
  'pass',
  'pass',
  'handedOver',
] as const;
type NodeEvent = { readonly kind: (typeof kinds)[number]; readonly ring: number; readonly many: number };
const nodeEvents = array(
  record({ kind: constantFrom(...kinds), ring: oneof(nat(3), nat(40)), many: nat(5) }),
  {
    maxLength: 150,
    size: 'max',
  },
);

describe('whatever happens on a Node', () => {
  const anyLimits = record({
    maxRings: constantFrom(1, 2, 3, 8, 40),
    moreMib: nat(60),
    isRoomy: boolean(),
  }).map(
    ({ maxRings, moreMib, isRoomy }): ReceiveRingLimits => ({
      maxRings,
      budgetBytes: maxRings * reservedRingBytes(undefined) + (isRoomy ? 500 : moreMib) * 2 ** 20,
      fixedKib: undefined,
    }),
  );

  test('old and new rings together never exceed the budget', () => {
    assert(
      property(anyLimits, nodeEvents, (limits, events) => {
        expect(simulate(limits, events).mostKib * 1_024).toBeLessThanOrEqual(limits.budgetBytes);
      }),
    );
  });

  test('when nothing happens any more, each ring changes its size once at most, and then stays', () => {
    assert(
      property(anyLimits, nodeEvents, (limits, events) => {
        const { handovers, isSettled } = simulate(limits, events).settle();
        expect(isSettled).toBe(true);
        expect(Math.max(0, ...handovers)).toBeLessThanOrEqual(1);
      }),
    );
  });
});

function notStarted(key: string): ReceiveRing {
  return { key, kib: undefined, replacedKib: 0, isReplaced: false, silentSinceMs: undefined, isFull: false };
}
