import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  authorityTimes,
  needsAuthority,
  type SigningAuthority,
  signingAuthority,
  trustedAuthorities,
} from './signing-authorities.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

test('the first authority signs at once', () => {
  expect(needsAuthority([], 0)).toBe(true);
  const first = created(0);
  expect(needsAuthority([first], 0)).toBe(false);
  expect(signingAuthority([first], 0)).toBe(first);
});

test.each([
  { age: 364, isNeeded: false },
  { age: 365, isNeeded: true },
  { age: 731, isNeeded: true },
])('after $age days, a new one is needed: $isNeeded', ({ age, isNeeded }) => {
  expect(needsAuthority([created(0)], age * dayMs)).toBe(isNeeded);
});

test.each([
  { hours: 0, signs: 0, trusted: [0, 365] },
  { hours: 23, signs: 0, trusted: [0, 365] },
  { hours: 24, signs: 365, trusted: [0, 365] },
  { hours: 47, signs: 365, trusted: [0, 365] },
  { hours: 48, signs: 365, trusted: [365] },
])(
  '$hours hours after its creation, the next one is trusted first, signs then, and is alone at last',
  (expected) => {
    const authorities = [created(0), created(365 * dayMs)];
    const nowMs = 365 * dayMs + expected.hours * hourMs;
    const dayOf = ({ createdMs }: SigningAuthority) => createdMs / dayMs;
    const signer = signingAuthority(authorities, nowMs);
    expect(signer && dayOf(signer)).toBe(expected.signs);
    expect(trustedAuthorities(authorities, nowMs).map(dayOf)).toEqual(expected.trusted);
  },
);

/**
 * Replicas look at irregular times, at least once in `staleMs`; agents and the API server know the authorities of at
 * most `staleMs` ago.
 */
test('for ten years, whoever knows the authorities of 12 hours ago trusts the one that any replica signs with', () => {
  const staleMs = 12 * hourMs;
  const looks = fc.array(fc.integer({ min: hourMs, max: staleMs }), { minLength: 50, maxLength: 400 });
  const run = (gaps: readonly number[]) => {
    let stored: SigningAuthority[] = [];
    let signer: SigningAuthority | undefined;
    const published: { readonly atMs: number; readonly trusted: readonly SigningAuthority[] }[] = [];
    let nowMs = 0;
    for (let index = 0; nowMs < 3_650 * dayMs; index += 1) {
      // The server's certificate was issued at the last look, and is presented until this one.
      if (signer !== undefined) {
        const known = published.findLast(({ atMs }) => atMs <= nowMs - staleMs) ?? published[0];
        if (!known?.trusted.includes(signer)) throw new Error(`not trusted ${nowMs} ms after the start`);
        if (signer.expiresMs <= nowMs) throw new Error(`expired ${nowMs} ms after the start`);
      }
      if (needsAuthority(stored, nowMs)) stored = [...trustedAuthorities(stored, nowMs), created(nowMs)];
      published.push({ atMs: nowMs, trusted: trustedAuthorities(stored, nowMs) });
      if (published.length > 64) published.shift();
      signer = signingAuthority(stored, nowMs);
      nowMs += gaps[index % gaps.length] ?? hourMs;
    }
    expect(stored.length).toBeLessThanOrEqual(3);
  };
  fc.assert(fc.property(looks, run), { numRuns: 20 });
});

function created(createdMs: number): SigningAuthority {
  return { cert: `cert ${createdMs}`, key: 'key', createdMs, expiresMs: createdMs + authorityTimes.validMs };
}
