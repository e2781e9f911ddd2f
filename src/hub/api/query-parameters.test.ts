import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseQuery } from './query-parameters.ts';
import { isStatusError } from './status-error.ts';

describe('parseQuery', () => {
  test.each([
    ['', {}],
    ['watch=true&limit=500', { watch: 'true', limit: '500' }],
    ['labelSelector=app%3Dweb%2Ctier+in+%28a%29', { labelSelector: 'app=web,tier in (a)' }],
    ['follow', { follow: '' }],
    ['a=1&&a=1&', { a: '1' }],
    ['a=b=c', { a: 'b=c' }],
    ['__proto__=x', { ['__proto__']: 'x' }],
  ])('parses %j', (text, expected) => {
    const parsed = parseQuery(text);
    if (isStatusError(parsed)) throw new Error(parsed.message);
    expect([...parsed]).toEqual(Object.entries(expected));
  });

  test.each([
    ['a=1&a=2', /"a" twice/],
    ['a=%zz', /URL-encoded/],
    ['a=%ff', /URL-encoded/],
    ['a=%00', /URL-encoded/],
    ['a=%0a', /URL-encoded/],
    ['=1', /URL-encoded/],
    [Array.from({ length: 33 }, (_, at) => `a${at}=1`).join('&'), /more than 32/],
    [`a=${'x'.repeat(40_000)}`, /longer than/],
  ])('refuses %j', (text, message) => {
    const parsed = parseQuery(text);
    expect(parsed).toMatchObject({ kind: 'error', code: 400 });
    expect(parsed).toHaveProperty('message', expect.stringMatching(message));
  });

  test('agrees with URLSearchParams about whatever it accepts', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', 'b', '=', '&', '+', '%', '2', '6', 'é') }),
        (text) => {
          const parsed = parseQuery(text);
          if (isStatusError(parsed)) return;
          expect(new Map(new URLSearchParams(text))).toEqual(parsed);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
