import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePath, pathText } from './request-path.ts';
import { isStatusError } from './status-error.ts';

const root = '/apis/podcap.dev/v1alpha1';
const web = { namespace: 'shop', name: 'web-0' };

describe('parsePath', () => {
  test.each([
    ['/apis', { kind: 'groups' }],
    ['/apis/podcap.dev', { kind: 'group' }],
    [root, { kind: 'resources' }],
    ['/openapi/v3', { kind: 'openApiRoot' }],
    ['/openapi/v3/apis/podcap.dev/v1alpha1', { kind: 'openApiDocument' }],
    ['/livez', { kind: 'health' }],
    ['/readyz', { kind: 'readiness' }],
    [`${root}/captures`, { kind: 'captures', namespace: undefined }],
    [`${root}/namespaces/shop/captures`, { kind: 'captures', namespace: 'shop' }],
    [`${root}/namespaces/shop/captures/web-0`, { kind: 'capture', capture: web }],
    [`${root}/namespaces/shop/captures/%77eb-0`, { kind: 'capture', capture: web }],
    [`${root}/namespaces/shop/captures/web-0/log`, { kind: 'subresource', capture: web, subresource: 'log' }],
    [
      `${root}/namespaces/shop/captures/web-0/attach`,
      { kind: 'subresource', capture: web, subresource: 'attach' },
    ],
    [
      `${root}/namespaces/shop/captures/${longName(253)}/log`,
      {
        kind: 'subresource',
        capture: { namespace: 'shop', name: longName(253) },
        subresource: 'log',
      },
    ],
  ])('accepts %s', (path, expected) => {
    expect(parsePath(path)).toEqual(expected);
  });

  test.each([
    ['', 404],
    ['/', 400],
    ['apis', 400],
    ['https://hub/apis', 400],
    ['*', 400],
    ['/apis/', 400],
    ['//apis', 400],
    ['/apis/.', 400],
    [`${root}/namespaces/a/captures/../../b/captures`, 400],
    [`${root}/namespaces/a/captures/%2e%2e/%2E%2e/b/captures`, 400],
    [`${root}/namespaces/a/captures/web/../../../b/captures/db`, 400],
    [`${root}/namespaces/a%2fcaptures%2fweb`, 400],
    [`${root}/namespaces/a%5c..%5cb/captures`, 400],
    [`${root}/namespaces/a/captures/web%00`, 400],
    [`${root}/namespaces/a/captures/web%0a`, 400],
    [`${root}/namespaces/a/captures/web%C2%85`, 400],
    [`${root}/namespaces/a/captures/%zz`, 400],
    [`${root}/namespaces/a/captures/%ff`, 400],
    [`${root}/namespaces/a/captures/%C0%AE%C0%AE`, 400],
    [`${root}/namespaces//captures`, 400],
    [`${root}/namespaces/a/captures/`, 400],
    [`/${'a/'.repeat(1_100)}`, 400],
    [`${root}/namespaces/a/captures/%252e%252e`, 404],
    [`${root}/namespaces/A/captures`, 404],
    [`${root}/namespaces/a.b/captures`, 404],
    [`${root}/namespaces/${'a'.repeat(64)}/captures`, 404],
    [`${root}/namespaces/a/captures/Web`, 404],
    [`${root}/namespaces/a/captures/web_0`, 404],
    [`${root}/namespaces/a/captures/-web`, 404],
    [`${root}/namespaces/a/captures/web.`, 404],
    [`${root}/namespaces/a/captures/web..0`, 404],
    [`${root}/namespaces/a/captures/web;x=1`, 404],
    [`${root}/namespaces/a/captures/wéb`, 404],
    [`${root}/namespaces/a/captures/${longName(254)}`, 404],
    [`${root}/namespaces/a/captures/web/exec`, 404],
    [`${root}/namespaces/a/captures/web/log/x`, 404],
    [`${root}/namespaces/a/pods/web`, 404],
    [`${root}/namespaces/a`, 404],
    [`${root}/captures/web`, 404],
    [`${root}/watch/captures`, 404],
    [`${root}/watch/namespaces/a/captures`, 404],
    ['/apis/other.dev/v1alpha1/captures', 404],
    ['/apis/podcap.dev/v1/captures', 404],
    ['/api', 404],
    ['/openapi/v2', 404],
    ['/metrics', 404],
    ['/constructor', 404],
  ])('refuses %s with %i', (path, code) => {
    expect(parsePath(path)).toMatchObject({ kind: 'error', code });
  });

  const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/);
  const capture = fc.record({
    namespace: label,
    name: fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
  });

  test('returns what a path was made of', () => {
    const path = fc.oneof(
      fc.record({ kind: fc.constant('captures' as const), namespace: fc.option(label, { nil: undefined }) }),
      fc.record({ kind: fc.constant('capture' as const), capture }),
      fc.record({
        kind: fc.constant('subresource' as const),
        capture,
        subresource: fc.constantFrom('log' as const, 'attach' as const),
      }),
    );
    fc.assert(
      fc.property(path, (each) => {
        expect(parsePath(pathText(each))).toEqual(each);
      }),
    );
  });

  test('accepts nothing but what the decoded path says, letter for letter', () => {
    const piece = fc.oneof(
      fc.constantFrom('..', '.', '', '%2e', '%2F', '/', 'captures', 'namespaces', 'log', 'a', 'web', 'A'),
      fc.string({ maxLength: 4, unit: 'binary' }).map(encoded),
      fc.string({ maxLength: 4 }),
      label,
    );
    const tail = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join('/'));
    const beginning = fc.constantFrom('', root, `${root}/namespaces`, `${root}/namespaces/a/captures`);
    const rawPath = fc.tuple(beginning, tail).map(([start, end]) => `${start}/${end}`);
    fc.assert(
      fc.property(rawPath, (raw) => {
        const path = parsePath(raw);
        if (isStatusError(path) || !hasText(path)) return;
        expect(pathText(path)).toBe(decodeURIComponent(raw));
        expect(pathText(path)).toMatch(/^\/[-a-z0-9./]+$/);
        expect(pathText(path).split('/').slice(1)).not.toContain('..');
      }),
      { numRuns: 2_000 },
    );
  });
});

type ParsedPath = Exclude<ReturnType<typeof parsePath>, { readonly kind: 'error' }>;

function hasText(path: ParsedPath): path is Parameters<typeof pathText>[0] {
  return ['captures', 'capture', 'subresource'].includes(path.kind);
}

function encoded(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}

function longName(length: number): string {
  return 'abcdefghi.'
    .repeat(30)
    .slice(0, length - 1)
    .concat('z');
}
