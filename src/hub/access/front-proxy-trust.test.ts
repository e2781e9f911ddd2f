import { expect, test } from 'vitest';
import { authority } from '../../kubernetes/testing/certificate.ts';
import { readFrontProxyTrust } from './front-proxy-trust.ts';

const [front, clients] = await Promise.all([authority('front-proxy-ca'), authority('client-ca')]);

const data = {
  'client-ca-file': clients.cert,
  'requestheader-client-ca-file': front.cert,
  'requestheader-allowed-names': '["front-proxy-client"]',
  'requestheader-username-headers': '["X-Remote-User"]',
  'requestheader-uid-headers': '["X-Remote-Uid"]',
  'requestheader-group-headers': '["X-Remote-Group"]',
  'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
};

test('reads what kubeadm configures', () => {
  expect(readFrontProxyTrust(data)).toMatchObject({
    kind: 'trust',
    ca: front.cert,
    allowedNames: new Set(['front-proxy-client']),
    userHeaders: ['x-remote-user'],
    uidHeaders: ['x-remote-uid'],
    groupHeaders: ['x-remote-group'],
    extraPrefixes: ['x-remote-extra-'],
  });
});

test.for([
  ['an authority of its own', { 'requestheader-allowed-names': '[]' }],
  ['no list at all', { 'requestheader-allowed-names': '' }],
  ['no client authority', { 'requestheader-allowed-names': '[]', 'client-ca-file': '' }],
] as const)('without allowed names, accepts every certificate of %s', ([, changes]) => {
  expect(readFrontProxyTrust({ ...data, ...changes })).toMatchObject({
    kind: 'trust',
    allowedNames: new Set(),
  });
});

test.for([
  ['the same authority', { 'client-ca-file': front.cert }],
  ['one of several', { 'client-ca-file': clients.cert + front.cert }],
  ['the other way round', { 'requestheader-client-ca-file': front.cert + clients.cert }],
] as const)('refuses to trust every client of the cluster: %s', ([, changes]) => {
  const read = readFrontProxyTrust({ ...data, 'requestheader-allowed-names': '[]', ...changes });
  expect(read).toMatchObject({ kind: 'problem', reason: 'AnyClientCertificate' });
  expect(read).toHaveProperty('message', expect.stringContaining('--requestheader-allowed-names'));
});

test('trusts an allowed name of the authority of the clients', () => {
  expect(readFrontProxyTrust({ ...data, 'client-ca-file': front.cert })).toMatchObject({ kind: 'trust' });
});

test.for([
  ['no authority', 'NoFrontProxy', { 'requestheader-client-ca-file': '' }],
  ['no header of users', 'NoFrontProxy', { 'requestheader-username-headers': '[]' }],
  ['no certificate', 'MalformedConfiguration', { 'requestheader-client-ca-file': 'no certificate' }],
  [
    'a broken certificate',
    'MalformedConfiguration',
    { 'requestheader-client-ca-file': front.cert.replace('M', '!') },
  ],
  ['names that are no list', 'MalformedConfiguration', { 'requestheader-allowed-names': '"all"' }],
  ['names that are not JSON', 'MalformedConfiguration', { 'requestheader-allowed-names': 'all' }],
  ['groups that are no list', 'MalformedConfiguration', { 'requestheader-group-headers': '[1]' }],
] as const)('has a problem with %s: %s', ([, reason, changes]) => {
  expect(readFrontProxyTrust({ ...data, ...changes })).toMatchObject({ kind: 'problem', reason });
});
