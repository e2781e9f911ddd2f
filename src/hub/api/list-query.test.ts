import { describe, expect, test } from 'vitest';
import { selectedName, selectsFields } from './field-selector.ts';
import { parseListQuery } from './list-query.ts';
import { parseQuery } from './query-parameters.ts';
import { isStatusError } from './status-error.ts';

function parse(text: string) {
  const query = parseQuery(text);
  return isStatusError(query) ? query : parseListQuery(query);
}

describe('parseListQuery', () => {
  test.each([
    ['', { isWatch: false, allowsBookmarks: false, resourceVersion: undefined, timeoutSeconds: undefined }],
    ['limit=500&continue=x&pretty=true&fieldManager=y', { isWatch: false }],
    ['watch=1&resourceVersion=0', { isWatch: true, resourceVersion: 0n }],
    ['watch=false', { isWatch: false }],
    ['watch=False', { isWatch: false }],
    ['watch=0', { isWatch: false }],
    ['watch', { isWatch: true }],
    ['watch=', { isWatch: true }],
    ['watch=True', { isWatch: true }],
    ['watch=yes&allowWatchBookmarks=maybe', { isWatch: true, allowsBookmarks: true }],
    [
      'resourceVersion=1700000000000000&resourceVersionMatch=NotOlderThan',
      { resourceVersion: 1700000000000000n },
    ],
    [
      'watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=300',
      { isWatch: true, sendsInitialEvents: true, allowsBookmarks: true, timeoutSeconds: 300 },
    ],
    ['watch=true&timeoutSeconds=0', { timeoutSeconds: undefined }],
  ])('reads %j', (text, expected) => {
    expect(parse(text)).toMatchObject(expected);
  });

  test.each([
    ['resourceVersion=abc', 400],
    ['resourceVersion=-1', 400],
    [`resourceVersion=${'9'.repeat(21)}`, 400],
    ['timeoutSeconds=1h', 400],
    ['timeoutSeconds=9999999999', 400],
    ['labelSelector=a%3E1', 400],
    ['fieldSelector=status.phase%3DEnded', 400],
    ['resourceVersionMatch=Other', 422],
    ['resourceVersionMatch=NotOlderThan', 422],
    ['resourceVersion=5&resourceVersionMatch=Exact', 422],
    ['sendInitialEvents=true', 422],
    ['watch=true&resourceVersionMatch=NotOlderThan', 422],
    ['watch=true&sendInitialEvents=true', 422],
    ['watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan', 422],
  ])('refuses %j with %i', (text, code) => {
    expect(parse(text)).toMatchObject({ kind: 'error', code });
  });
});

describe('a fieldSelector', () => {
  const web = { name: 'web', namespace: 'shop' };

  test.each([
    ['metadata.name=web', true, 'web'],
    ['metadata.name==web', true, 'web'],
    ['metadata.name!=web', false, undefined],
    ['metadata.namespace=shop', true, undefined],
    ['metadata.namespace!=shop', false, undefined],
    [' metadata.name = db ', false, 'db'],
    ['metadata.name=web,metadata.namespace=other', false, 'web'],
    ['metadata.name=', false, undefined],
  ])('%j selects shop/web: %s, and is for the name %s', (text, isSelected, name) => {
    const parsed = parse(`fieldSelector=${encodeURIComponent(text)}`);
    if (isStatusError(parsed)) throw new Error(parsed.message);
    expect(selectsFields(parsed.fields, web)).toBe(isSelected);
    expect(selectedName(parsed.fields)).toBe(name);
  });

  test.each([
    ['status.phase=Ended', 'supports only metadata.name and metadata.namespace'],
    ['metadata.name', 'must consist of terms'],
    ['metadata.name=web,', 'must consist of terms'],
    ['metadata.name=A', 'no object can have this metadata.name'],
    ['metadata.namespace=a.b', 'no object can have this metadata.namespace'],
    [' '.repeat(5_000), 'longer than'],
    [Array.from({ length: 17 }, () => 'metadata.name=a').join(','), 'longer than'],
  ])('%j is refused', (text, message) => {
    expect(parse(`fieldSelector=${encodeURIComponent(text)}`)).toMatchObject({
      code: 400,
      message: expect.stringContaining(message),
    });
  });
});
