import { expect, test } from 'vitest';
import { parseCliArguments } from '../cli-arguments.ts';
import { saveArguments } from './save-arguments.ts';
import { saveCommand } from './save-command.ts';
import { savedFileName } from './saved-file-name.ts';

const nowMs = Date.parse('2026-11-30T12:00:00.000Z');

function save(...args: readonly string[]) {
  const parsed = parseCliArguments(saveCommand, args);
  if (parsed.kind !== 'arguments') throw new Error(`it is ${parsed.kind}`);
  return saveArguments(parsed.given, nowMs);
}

test('times that count from now are the same however often a download starts over', () => {
  expect(save('web', '--since', '10m', '--until', '2026-11-30T13:00:00+01:00')).toMatchObject({
    since: '2026-11-30T11:50:00.000000000Z',
    until: '2026-11-30T12:00:00.000000000Z',
  });
});

test('without options, the whole ring as pcapng', () => {
  expect(save('web')).toEqual({
    to: undefined,
    format: 'pcapng',
    side: undefined,
    names: false,
    overwrite: false,
    since: undefined,
    until: undefined,
    frozen: undefined,
    previous: false,
  });
});

test.for([
  [['--frozen', '0'], '--frozen must be the number of a frozen ring, or all, not "0"'],
  [['--frozen', 'some'], '--frozen must be the number of a frozen ring, or all, not "some"'],
  [['--since', 'yesterday'], '--since must be a time such as'],
  [['--since', '1m', '--until', '2m'], '--since must be before --until'],
  [['--names', '--format', 'pcap'], '--names needs --format pcapng'],
] as const)('%j is refused', ([args, message]) => {
  expect(() => save('web', ...args)).toThrow(message);
});

test('the longest name of a Pod leaves space for .part', () => {
  const name = savedFileName('p'.repeat(253), 'pcapng', nowMs);
  expect(name).toMatch(/^p+-20261130T120000Z\.pcapng$/);
  expect(`${name}.part`).toHaveLength(255);
});
