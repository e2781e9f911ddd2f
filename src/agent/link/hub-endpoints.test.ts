import { describe, expect, test } from 'vitest';
import { hubEndpoints, parseEndpointSlice, slicesAfter } from './hub-endpoints.ts';
import { hubNames } from './hub-service.ts';

test('everything of a hub is named after its Service', () => {
  expect(hubNames({ namespace: 'kube-system', name: 'podcap-hub-link' })).toEqual({
    namespace: 'kube-system',
    service: 'podcap-hub-link',
    caConfigMap: 'podcap-hub-ca',
    tlsServerName: 'podcap-hub.kube-system.svc',
  });
});

const slice = {
  metadata: { name: 'a' },
  ports: [
    { name: 'api', port: 1 },
    { name: 'link', port: 10_251 },
  ],
  endpoints: [
    { addresses: ['10.0.0.1'], conditions: { ready: true } },
    { addresses: ['fd00::1'], conditions: { ready: false } },
    { addresses: ['10.0.0.2'], conditions: { terminating: true } },
    { addresses: ['hub.example'] },
    { addresses: [] },
  ],
};

describe('an EndpointSlice', () => {
  test('gives its addresses with the port named link, whether they are ready or not', () => {
    expect(parseEndpointSlice(slice)).toEqual({
      kind: 'valid',
      object: {
        name: 'a',
        endpoints: [
          { address: '10.0.0.1', port: 10_251, isTerminating: false },
          { address: 'fd00::1', port: 10_251, isTerminating: false },
          { address: '10.0.0.2', port: 10_251, isTerminating: true },
        ],
      },
    });
  });

  test.each([
    ['no port of that name', { ...slice, ports: [{ name: 'api', port: 1 }] }],
    ['null instead of ports', { ...slice, ports: null }],
    ['null instead of endpoints', { ...slice, endpoints: null }],
  ])('has none with %s', (_what, object) => {
    expect(parseEndpointSlice(object)).toEqual({ kind: 'valid', object: { name: 'a', endpoints: [] } });
  });

  test('is invalid if it is another object', () => {
    expect(parseEndpointSlice({ metadata: {} }).kind).toBe('invalid');
    expect(parseEndpointSlice(undefined).kind).toBe('invalid');
  });
});

const endpoint = (address: string, isTerminating = false) => ({ address, port: 1, isTerminating });
const listed = (...slices: Parameters<typeof sliceOf>[]) =>
  slicesAfter(new Map(), { kind: 'listed', items: slices.map((each) => sliceOf(...each)) });
const sliceOf = (name: string, ...endpoints: ReturnType<typeof endpoint>[]) => ({ name, endpoints });
const addresses = (slices: ReturnType<typeof listed>) =>
  [...hubEndpoints(slices).values()].map(({ address }) => address);

test('the endpoints are those of all slices after each change', () => {
  const one = listed(['a', endpoint('10.0.0.1')], ['b', endpoint('10.0.0.2')]);
  expect(addresses(one)).toEqual(['10.0.0.1', '10.0.0.2']);
  const two = slicesAfter(one, { kind: 'applied', object: sliceOf('a', endpoint('10.0.0.3')) });
  expect(addresses(two)).toEqual(['10.0.0.3', '10.0.0.2']);
  expect(addresses(slicesAfter(two, { kind: 'deleted', object: sliceOf('b') }))).toEqual(['10.0.0.3']);
  expect(addresses(slicesAfter(two, { kind: 'listed', items: [] }))).toEqual([]);
});

test('an address that two slices have is one, and terminating only if it is in both', () => {
  const both = hubEndpoints(listed(['a', endpoint('10.0.0.1', true)], ['b', endpoint('10.0.0.1')]));
  expect([...both.values()]).toEqual([endpoint('10.0.0.1')]);
  const reversed = hubEndpoints(listed(['a', endpoint('10.0.0.1')], ['b', endpoint('10.0.0.1', true)]));
  expect([...reversed.values()]).toEqual([endpoint('10.0.0.1')]);
});

test('no more than 16 addresses are dialled', () => {
  const many = Array.from({ length: 40 }, (_, at) => endpoint(`10.0.0.${at}`));
  expect(addresses(listed(['a', ...many]))).toHaveLength(16);
});
