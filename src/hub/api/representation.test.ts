import { describe, expect, test } from 'vitest';
import { chooseRepresentation, contentTypeOf } from './representation.ts';

const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const olderTable = 'application/json;as=Table;v=v1beta1;g=meta.k8s.io';
const object = { kind: 'object' };

describe('chooseRepresentation', () => {
  test.each([
    [undefined, 'list', object],
    ['', 'get', object],
    ['*/*', 'list', object],
    ['application/json', 'watch', object],
    ['application/json;stream=watch', 'watch', object],
    ['application/json; charset=utf-8', 'list', object],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'list', object],
    [`${table},${olderTable},application/json`, 'list', { kind: 'table', version: 'v1' }],
    [`${olderTable}, application/json`, 'watch', { kind: 'table', version: 'v1beta1' }],
    ['application/json;g=meta.k8s.io;V="v1";As=Table', 'get', { kind: 'table', version: 'v1' }],
    [`${table};q=0.5,application/json;q=0.9`, 'list', object],
    [`${table};q=0,application/json`, 'list', object],
    ['application/vnd.kubernetes.protobuf,application/json', 'list', object],
    [
      'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json',
      'list',
      { kind: 'metadata', version: 'v1' },
    ],
    [
      'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1beta1',
      'watch',
      { kind: 'metadata', version: 'v1beta1' },
    ],
  ] as const)('chooses from %j for a %s', (accept, read, expected) => {
    expect(chooseRepresentation(accept, read)).toEqual(expected);
  });

  test.each([
    ['application/vnd.kubernetes.protobuf', 'list'],
    ['application/yaml', 'get'],
    ['text/html', 'list'],
    ['application/json;q=0', 'list'],
    ['application/json;q=2', 'list'],
    ['application/json;stream=other', 'watch'],
    ['application/json;as=Table;v=v2;g=meta.k8s.io', 'list'],
    ['application/json;as=Table;v=v1;g=other', 'list'],
    ['application/json;as=Table', 'list'],
    ['application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1', 'list'],
    ['application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1', 'get'],
    ['application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io', 'list'],
    ['json', 'list'],
    [`${'a/b,'.repeat(32)}*/*`, 'list'],
    [`application/json;x=${'x'.repeat(5_000)}`, 'list'],
  ] as const)('has nothing for %j in a %s', (accept, read) => {
    expect(chooseRepresentation(accept, read)).toBeUndefined();
  });

  test('says that a watch is a stream', () => {
    expect(contentTypeOf('watch')).toBe('application/json;stream=watch');
    expect(contentTypeOf('list')).toBe('application/json');
  });
});
