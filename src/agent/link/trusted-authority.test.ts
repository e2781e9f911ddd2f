import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { authority } from '../../kubernetes/testing/certificate.ts';
import { hasSigned, parseTrustedAuthority } from './trusted-authority.ts';

test('a ConfigMap without a certificate is an authority that is not known yet', () => {
  for (const object of [{}, { data: null }, { data: {} }, { data: { 'ca.crt': ' \n' } }])
    expect(parseTrustedAuthority(object)).toEqual({ kind: 'valid', object: { pem: '' } });
});

test('what is no certificate is invalid, and changes nothing', () => {
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----';
  for (const pem of ['x', broken])
    expect(parseTrustedAuthority({ data: { 'ca.crt': pem } }).kind).toBe('invalid');
});

test('of two certificates in the ConfigMap, either may have signed', async () => {
  const [before, after, stranger] = [await authority('hub'), await authority('hub'), await authority('hub')];
  const certificate = new X509Certificate((await after.sign('server')).cert);
  expect(hasSigned({ pem: `${before.cert}\n${after.cert}` }, certificate)).toBe(true);
  expect(hasSigned({ pem: before.cert }, certificate)).toBe(false);
  // The same name is not enough.
  expect(hasSigned({ pem: stranger.cert }, certificate)).toBe(false);
});
