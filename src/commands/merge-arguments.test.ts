import { expect, test } from 'vitest';
import { mergeArguments } from './merge-arguments.ts';

const nowMs = Date.UTC(2026, 0, 31, 12);
const required = { files: ['a', 'b'], to: 'c' };
const defaults = {
  ...required,
  format: 'pcapng',
  side: undefined,
  names: false,
  waitSeconds: 60,
  since: undefined,
  until: undefined,
};

test.each<[string[], object]>([
  [[], defaults],
  [['--format', 'pcapng'], defaults],
  [['--format=pcap'], { ...defaults, format: 'pcap' }],
  [['--side', 'client'], { ...defaults, side: 'client' }],
  [['--side', 'server'], { ...defaults, side: 'server' }],
  [['--wait-seconds', '3600'], { ...defaults, waitSeconds: 3_600 }],
  ...['0', '1.5', 'x', '1000001'].map((text): [string[], object] => [
    ['--wait-seconds', text],
    { kind: 'invalid', message: '--wait-seconds must be a whole number from 1 to 1000000' },
  ]),
  [['--names'], { ...defaults, names: true }],
  [['--to', '-'], { ...defaults, to: '-' }],
  [['-'], { ...defaults, files: ['a', 'b', '-'] }],
  [['--', '--to'], { ...defaults, files: ['a', 'b', '--to'] }],
  [['--since', '10m'], { ...defaults, since: { seconds: nowMs / 1000 - 600, nanoseconds: 0 } }],
  [
    ['--since', '2026-01-31T11:00:00.5Z', '--until', '2026-01-31T12:00:00+01:00'],
    { kind: 'invalid', message: '--since must be before --until' },
  ],
  [['--format', 'erf'], { kind: 'invalid', message: '--format must be pcapng or pcap, not "erf"' }],
  [['--format', ''], { kind: 'invalid', message: '--format must be pcapng or pcap, not ""' }],
  [['--side', 'both'], { kind: 'invalid', message: '--side must be client or server, not "both"' }],
  [['--side', ''], { kind: 'invalid', message: '--side must be client or server, not ""' }],
  [['--to', ''], { kind: 'invalid', message: '--to is required: a file, or - for standard output' }],
  [[''], { kind: 'invalid', message: 'the name of a file is empty' }],
  [['-', '-'], { kind: 'invalid', message: 'standard input (-) can be read only once' }],
  [
    ['--names', '--format', 'pcap'],
    { kind: 'invalid', message: '--names needs --format pcapng: pcap has no names' },
  ],
  [
    ['--until', 'noon'],
    {
      kind: 'invalid',
      message:
        '--until must be a time such as 2026-01-31T12:00:00Z, or how long ago, such as 90s, 10m, 1h30m or 2d, not "noon"',
    },
  ],
])('a b --to c %j', (more, expected) => {
  const parsed = mergeArguments(['a', 'b', '--to', 'c', ...more], nowMs);
  expect(parsed.kind === 'arguments' ? parsed.arguments : parsed).toEqual(expected);
});

test.each([
  [['--to', 'c'], 'at least one capture file is required'],
  [['a'], '--to is required: a file, or - for standard output'],
])('%j lacks something', (args, message) => {
  expect(mergeArguments(args, nowMs)).toEqual({ kind: 'invalid', message });
});

test('the help says when an output that nobody reads is given up', () => {
  const parsed = mergeArguments(['--help'], nowMs);
  expect(parsed.kind === 'help' && parsed.text).toContain('nobody reads for 60 minutes');
});

test('--help wins over everything else that is known', () => {
  expect(mergeArguments(['--side', 'x', '-h'], nowMs).kind).toBe('help');
});
