import { expect, test } from 'vitest';
import { parseRecordingRequest } from './recording-request.ts';

const nowMs = Date.parse('2026-01-31T12:00:00Z');
const parse = (query: string) => parseRecordingRequest(new URLSearchParams(query), nowMs);

const whole = {
  uid: 'a-1',
  frozen: undefined,
  range: { since: undefined, until: undefined },
  format: 'pcapng',
  follow: false,
};
const second = (ago: number) => ({ seconds: nowMs / 1_000 - ago, nanoseconds: 0 });

test.each([
  ['uid=a-1', whole],
  ['uid=a-1&frozen=3', { ...whole, frozen: 3 }],
  ['uid=a-1&frozen=all&format=pcap', { ...whole, frozen: 'all', format: 'pcap' }],
  ['uid=a-1&since=10m', { ...whole, range: { since: second(600), until: undefined } }],
  [
    'uid=a-1&since=10m&until=2026-01-31T11:59:00Z',
    { ...whole, range: { since: second(600), until: second(60) } },
  ],
  ['uid=a-1&follow=true&since=1s', { ...whole, follow: true, range: { since: second(1), until: undefined } }],
  ['uid=a-1&follow=0', whole],
  // A later hub may say more.
  ['uid=a-1&colour=blue', whole],
])('%s', (query, request) => {
  expect(parse(query)).toEqual({ kind: 'request', request });
});

test.each([
  ['', 'uid is required: that of the recorded Pod'],
  ['uid=../b', 'uid="../b": must be the UID of a Pod'],
  ['uid=a&uid=b', 'uid can be given once'],
  ['uid=a&frozen=0', 'frozen="0": must be the number of a frozen ring, or all'],
  ['uid=a&format=json', 'format="json": must be pcapng or pcap'],
  ['uid=a&follow=yes', 'follow="yes": must be true or false'],
  [
    'uid=a&since=yesterday',
    'since="yesterday": must be a time such as 2026-01-31T12:00:00Z, or how long ago, such as 90s, 10m, 1h30m or 2d',
  ],
  ['uid=a&since=1m&until=1m', 'since must be before until'],
  [
    'uid=a&follow=1&frozen=1',
    'follow reads the ring itself, into which packets still come: leave out frozen',
  ],
  ['uid=a&follow=1&until=1s', 'follow has no end in time: leave out until'],
])('%s is refused', (query, message) => {
  expect(parse(query)).toEqual({
    kind: 'refused',
    status: 400,
    error: { reason: 'InvalidParameter', message },
  });
});
