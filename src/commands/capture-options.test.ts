import { expect, test } from 'vitest';
import { parseFormat, parseTimeRange } from './capture-options.ts';

const second = (seconds: number, nanoseconds = 0) => ({ seconds, nanoseconds });

test.each([
  [{}, { since: undefined, until: undefined }],
  [{ since: '20s' }, { since: second(80), until: undefined }],
  [
    { since: '20s', until: '10s' },
    { since: second(80), until: second(90) },
  ],
  [
    { since: '10s', until: '10s' },
    { kind: 'invalid', message: '--since must be before --until' },
  ],
])('the options %j', (values, expected) => {
  expect(parseTimeRange(values, 100_000)).toEqual(expected);
});

test('the format is pcapng unless something else is asked for', () => {
  expect([undefined, 'pcapng', 'pcap'].map(parseFormat)).toEqual(['pcapng', 'pcapng', 'pcap']);
  expect(parseFormat('PCAP')).toMatchObject({ kind: 'invalid' });
});
