import { expect, test } from 'vitest';
import { clockFinding } from './clock-finding.ts';

const date = 'Mon, 30 Nov 2026 12:00:00 GMT';
const serverMs = Date.parse(date);

test.each([
  ['the same second', 0, 100, 'ok'],
  ['the end of that second', 999, 999, 'ok'],
  ['a slow answer', -60_000, 60_000, 'ok'],
  ['less than what matters', 5_900, 5_950, 'ok'],
  ['ahead', 13_000, 13_100, "fix this machine's clock is 12 s ahead of the API server's"],
  ['behind', -90_000, -89_900, "fix this machine's clock is 90 s behind the API server's"],
])('%s', (_, sentMs, receivedMs, expected) => {
  const { status, text } = clockFinding({
    date,
    sentMs: serverMs + sentMs,
    receivedMs: serverMs + receivedMs,
  });
  expect(`${status} ${text}`).toContain(expected);
});

test.each([undefined, '', 'noon'])('without a time (%j), it is not known', (unreadable) => {
  expect(clockFinding({ date: unreadable, sentMs: 1, receivedMs: 2 }).status).toBe('note');
});
