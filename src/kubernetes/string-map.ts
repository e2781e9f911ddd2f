import * as v from 'valibot';

/** An object whose values are strings, such as labels, with all its keys: v.record leaves out `constructor`. */
export const stringMap = v.custom<Readonly<Record<string, string>>>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((each) => typeof each === 'string'),
  'must be an object of strings',
);
