import fc from 'fast-check';
import { expect, test } from 'vitest';
import { interfaceMatcher, namespaceMatcher, podMatcher } from './interface-names.ts';
import type { Matcher } from './matcher.ts';
import { subjectOf } from './testing/filter-subjects.ts';

test('a star stands for any characters within one part of a name', () => {
  const part = fc.string({ unit: fc.constantFrom('a', 'b', '-'), minLength: 1, maxLength: 6 });
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '-', '*'), minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(part, part, part, pattern, (namespace, pod, name, text) => {
      const isNamed = new RegExp(`^${text.replaceAll('*', '.*')}$`);
      const matches = (matcher: Matcher | undefined) =>
        matcher?.(subjectOf({ interfaceName: `${namespace}/${pod}/${name}` }));
      expect([
        matches(podMatcher(text)),
        matches(podMatcher(`${text}/${text}`)),
        matches(namespaceMatcher(text)),
        matches(interfaceMatcher(text)),
      ]).toEqual([
        isNamed.test(pod),
        isNamed.test(pod) && isNamed.test(namespace),
        isNamed.test(namespace),
        isNamed.test(name),
      ]);
    }),
    { numRuns: 2_000 },
  );
});

test.each(['eth0', 'a/b', 'a/b/c/d', '', undefined])(
  'an interface named %j is of no Pod',
  (interfaceName) => {
    const subject = subjectOf(interfaceName === undefined ? {} : { interfaceName });
    expect(podMatcher('*')?.(subject)).toBe(false);
    expect(namespaceMatcher('*')?.(subject)).toBe(false);
  },
);

test.each(['', '/', 'a/', '/a', 'a/b/c'])('%j is no Pod', (text) => expect(podMatcher(text)).toBeUndefined());
