import { describe, expect, test } from 'vitest';
import { parseLabelSelector, selectsLabels } from './label-selector.ts';

const web = { app: 'web', 'example.com/tier': 'front', empty: '' };

describe('a labelSelector', () => {
  test.each([
    ['', true],
    ['  ', true],
    ['app=web', true],
    ['app==web', true],
    ['app = web', true],
    ['app=db', false],
    ['app!=db', true],
    ['app!=web', false],
    ['other!=web', true],
    ['app in (db,web)', true],
    ['app in (db, web ),example.com/tier=front', true],
    ['app in (db)', false],
    ['app in(web)', true],
    ['app notin (db)', true],
    ['app notin (web,db)', false],
    ['other notin (web)', true],
    ['app', true],
    ['other', false],
    ['!app', false],
    ['!other', true],
    ['! other', true],
    ['app,!other,app!=db', true],
    ['app=web,app=db', false],
    ['empty=', true],
    ['empty in ()', true],
    ['app=', false],
    ['constructor', false],
    ['in=x', false],
  ])('%j selects the labels: %s', (text, expected) => {
    const selector = parseLabelSelector(text);
    if ('kind' in selector) throw new Error(selector.message);
    expect(selectsLabels(selector, web)).toBe(expected);
  });

  test('selects an object without labels as one with none', () => {
    const selector = parseLabelSelector('!app');
    if ('kind' in selector) throw new Error(selector.message);
    expect(selectsLabels(selector, undefined)).toBe(true);
  });

  test.each([
    ['app=web,', 'a term is'],
    [',', 'a term is'],
    ['app>1', 'a key is'],
    ['app in db', 'a term is'],
    ['app in (db', 'a term is'],
    ['app in db)', 'a term is'],
    ['app in ((db))', 'a term is'],
    ['app notin', 'a term is'],
    ['app=a=b', 'a term is'],
    ['!!app', 'a term is'],
    ['!app=web', 'a term is'],
    ['a/b/c=d', 'a key is'],
    ['-app', 'a key is'],
    ['app=wéb', 'a value is'],
    [`app=${'x'.repeat(64)}`, 'a value is'],
    [Array.from({ length: 65 }, () => 'a').join(','), 'more than 64'],
    [`a in (${Array.from({ length: 300 }, () => 'b').join(',')})`, 'too many values'],
    ['a'.repeat(9_000), 'longer than'],
  ])('%j is refused', (text, message) => {
    expect(parseLabelSelector(text)).toMatchObject({
      kind: 'problem',
      message: expect.stringContaining(message),
    });
  });
});
