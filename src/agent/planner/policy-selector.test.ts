import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { selectorSchema, selects } from './policy-selector.ts';

const web = { app: 'web', tier: 'front', constructor: 'x' };

test.each<[what: string, selector: object, isSelected: boolean]>([
  ['empty labels', { matchLabels: {} }, true],
  ['empty expressions', { matchExpressions: [] }, true],
  ['both empty', { matchLabels: {}, matchExpressions: [] }, true],
  ['empty labels without expressions', { matchLabels: {}, matchExpressions: null }, true],
  ['a label', { matchLabels: { app: 'web' } }, true],
  ['several labels', { matchLabels: { app: 'web', tier: 'front' } }, true],
  ['another value of a label', { matchLabels: { app: 'db' } }, false],
  ['a missing label', { matchLabels: { app: 'web', zone: 'a' } }, false],
  ['a label that every object of JavaScript has', { matchLabels: { toString: 'x' } }, false],
  ['a label with such a name', { matchLabels: { constructor: 'x' } }, true],
  ['another value of a label with such a name', { matchLabels: { constructor: 'y' } }, false],
  ['In with the value', expression('app', 'In', 'db', 'web'), true],
  ['In with other values', expression('app', 'In', 'db'), false],
  ['In of a missing label', expression('zone', 'In', 'a'), false],
  ['NotIn with the value', expression('app', 'NotIn', 'db', 'web'), false],
  ['NotIn with other values', expression('app', 'NotIn', 'db'), true],
  ['NotIn of a missing label', expression('zone', 'NotIn', 'a'), true],
  ['Exists', expression('app', 'Exists'), true],
  ['Exists of a missing label', expression('zone', 'Exists'), false],
  ['Exists of a name that every object of JavaScript has', expression('toString', 'Exists'), false],
  ['DoesNotExist of such a name', expression('toString', 'DoesNotExist'), true],
  ['DoesNotExist', expression('app', 'DoesNotExist'), false],
  ['DoesNotExist of a missing label', expression('zone', 'DoesNotExist'), true],
  ['a key with a prefix', expression('example.com/app', 'DoesNotExist'), true],
  ['labels and expressions', { matchLabels: { app: 'web' }, ...expression('tier', 'In', 'back') }, false],
])('%s: %j', (_what, selector, isSelected) => {
  expect(selects(v.parse(selectorSchema, selector), web)).toBe(isSelected);
});

test.each<[object]>([
  [expression('app', 'In')],
  [expression('app', 'NotIn')],
  [expression('app', 'Exists', 'web')],
  [expression('app', 'DoesNotExist', 'web')],
  [expression('app', 'Equals', 'web')],
  [{ matchExpressions: [{ operator: 'Exists' }] }],
  [{ matchLabels: { app: 1 } }],
  [{ matchLabels: [] }],
  [{ matchLabels: { 'a b': 'x' } }],
  [{ matchLabels: { app: 'x y' } }],
  [{ matchLabels: { ['a'.repeat(64)]: 'x' } }],
  [{ matchLabels: { app: 'x'.repeat(64) } }],
  [{ matchLabels: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`l${i}`, ''])) }],
  [{ matchExpressions: Array.from({ length: 9 }, () => ({ key: 'app', operator: 'Exists' })) }],
  [expression('app', 'NotIn', ...Array.from({ length: 17 }, (_, i) => `v${i}`))],
  [expression('Example.com/app', 'Exists')],
  [expression('app', 'In', '-')],
])('a selector that the CRD refuses cannot be read: %j', (selector) => {
  expect(v.safeParse(selectorSchema, selector).success).toBe(false);
});

test.each<[selector: object]>([
  [{ matchLabels: {}, matchLabel: { app: 'web' } }],
  [{ matchExpressions: [{ key: 'app', operator: 'Exists', value: 'web' }] }],
])('a field that is not known is named: %j', (selector) => {
  const { issues } = v.safeParse(selectorSchema, selector);
  expect(issues?.map(({ message }) => message)).toEqual(['is not a known field']);
});

test.each<[selector: object]>([[{}], [{ matchLabels: null, matchExpressions: null }]])(
  'a selector without requirements is refused, and told how to select every Pod: %j',
  (selector) => {
    const { issues } = v.safeParse(selectorSchema, selector);
    expect(issues?.map(({ message }) => message)).toEqual([
      'must have matchLabels or matchExpressions; matchLabels: {} selects every Pod of the namespace',
    ]);
  },
);

test.each<[selector: object]>([
  [{ matchLabels: Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`l${i}`, ''])) }],
  [{ matchExpressions: Array.from({ length: 8 }, () => ({ key: 'app', operator: 'Exists' })) }],
  [expression('app', 'NotIn', ...Array.from({ length: 16 }, (_, i) => `v${i}`))],
])('a selector as large as allowed is read: %j', (selector) => {
  expect(v.safeParse(selectorSchema, selector).success).toBe(true);
});

describe('a Pod with more labels than are kept', () => {
  test('is selected by empty requirements, and by no others', () => {
    expect(selects(v.parse(selectorSchema, { matchLabels: {} }), undefined)).toBe(true);
    expect(selects(v.parse(selectorSchema, { matchLabels: { app: 'web' } }), undefined)).toBe(false);
    const absent = v.parse(selectorSchema, expression('zone', 'DoesNotExist'));
    expect(selects(absent, undefined)).toBe(false);
  });
});

test('In and NotIn, and Exists and DoesNotExist, are opposites for any labels', () => {
  const word = fc.constantFrom('a', 'b', 'c', 'constructor', 'toString');
  fc.assert(
    fc.property(fc.dictionary(word, word), word, fc.array(word, { minLength: 1 }), (labels, key, values) => {
      const is = (operator: string, ...given: string[]) =>
        selects(v.parse(selectorSchema, expression(key, operator, ...given)), labels);
      expect(is('In', ...values)).toBe(!is('NotIn', ...values));
      expect(is('Exists')).toBe(!is('DoesNotExist'));
      expect(is('In', ...values) && !is('Exists')).toBe(false);
    }),
  );
});

function expression(key: string, operator: string, ...values: string[]): object {
  return { matchExpressions: [{ key, operator, ...(values.length > 0 && { values }) }] };
}
