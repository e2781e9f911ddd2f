import { expect, test } from 'vitest';
import { refusalOfText } from './api-answer.ts';

const captures = '/apis/podcap.dev/v1alpha1/namespaces/shop/captures';
const status = (reason: string, message: string) => JSON.stringify({ kind: 'Status', reason, message });

test.each<[code: number, text: string, path: string, refusal: object]>([
  [
    403,
    status('Forbidden', 'you may see captures in shop, but not download them: ask for podcap-download'),
    `${captures}/web/log`,
    {
      reason: 'Forbidden',
      message: 'you may see captures in shop, but not download them: ask for podcap-download',
      canRetry: false,
    },
  ],
  [404, status('NotFound', 'pods "web" not found'), '/api/v1/x', { reason: 'NotFound', canRetry: false }],
  [429, status('TooManyRequests', 'later'), captures, { reason: 'TooManyRequests', canRetry: true }],
  [503, status('ServiceUnavailable', 'no agent'), captures, { reason: 'ServiceUnavailable', canRetry: true }],
  [
    401,
    status('Unauthorized', 'Unauthorized'),
    captures,
    { message: 'you must be logged in to the server (Unauthorized)' },
  ],
  [500, status('', ''), captures, { reason: 'Unknown', message: 'HTTP status 500' }],
  [403, status('Forbidden', 'a\u001b[31m'), captures, { message: 'a\\u001b[31m' }],
  [502, '<html>', '/api/v1/pods', { reason: 'Unknown', message: 'HTTP status 502: <html>', canRetry: true }],
  // A proxy's.
  [
    404,
    '404 page not found\n',
    '/api/v1/pods',
    { reason: 'Unknown', message: 'HTTP status 404: 404 page not found' },
  ],
])('HTTP status %i with %s', (code, text, path, refusal) => {
  expect(refusalOfText(code, text, path)).toMatchObject({ kind: 'refused', status: code, ...refusal });
});

test('without the API of the hub, it says how recordings can be read', () => {
  const { reason, message, canRetry } = refusalOfText(404, '404 page not found\n', captures);
  expect({ reason, canRetry }).toEqual({ reason: 'HubMissing', canRetry: false });
  expect(message).toMatch(/^this cluster has no podcap.dev API: Podcap's hub is not installed/);
  expect(message).toContain('kubectl exec -n kube-system AGENT -- podcap read NAMESPACE/POD > FILE.pcapng');
});

test('with a hub that does not answer, it says how to find out why', () => {
  const { reason, message, canRetry } = refusalOfText(503, 'service unavailable\n', captures);
  expect({ reason, canRetry }).toEqual({ reason: 'HubUnavailable', canRetry: true });
  expect(message).toMatch(
    /^Podcap's hub does not answer; the API server says: service unavailable. Try again./,
  );
  expect(message).toContain('kubectl describe apiservice v1alpha1.podcap.dev');
  expect(message).toContain('kubectl exec');
});

test('how long a server asks to wait is known', () => {
  const busy = { kind: 'Status', code: 429, reason: 'TooManyRequests', message: 'wait' };
  const text = JSON.stringify({ ...busy, details: { retryAfterSeconds: 5 } });
  expect(refusalOfText(429, text, captures)).toMatchObject({ canRetry: true, retryAfterMs: 5_000 });
  expect(refusalOfText(429, JSON.stringify(busy), captures)).not.toHaveProperty('retryAfterMs');
});
