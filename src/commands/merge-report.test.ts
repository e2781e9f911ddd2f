import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ScannedCapture } from './merge-inputs.ts';
import { MergeReport } from './merge-report.ts';
import { scanned } from './testing/scanned-capture.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const clear = '\r\u001b[K';
const files: readonly ScannedCapture[] = [2e6, 3e6].map((fileBytes, at) => {
  const capture = scanned({ name: `${at}.pcap`, addresses: [] });
  return { ...capture, capture: { ...capture.capture, fileBytes } };
});
const noCounts = { packets: 1, stepsBack: 0, earlier: 0, furthestBackSeconds: 0, late: 0 };
const whole = { packets: 2, captures: 2, to: 'out' };

test('shows progress on a terminal, at most five times a second, and removes it at the end', () => {
  const { report, printed } = start({ isTTY: true });
  report.progress(1e6);
  vi.advanceTimersByTime(200);
  report.progress(2e6);
  report.progress(3e6);
  vi.advanceTimersByTime(200);
  report.progress(4e6);
  report.end();
  report.end();
  expect(printed()).toBe(`${clear}merging: 2 MB of about 5 MB${clear}merging: 4 MB of about 5 MB${clear}`);
});

test('a message after progress starts on a line of its own, and progress goes on after it', () => {
  const { report, printed } = start({ isTTY: true });
  vi.advanceTimersByTime(200);
  report.progress(1e6);
  report.gap({ input: 0, kind: 'failed', error: new Error('gone') });
  vi.advanceTimersByTime(200);
  report.progress(2e6);
  expect(report.failed('full')).toBe(1);
  expect(printed()).toBe(
    `${clear}merging: 1 MB of about 5 MB${clear}podcap: 0.pcap cannot be read any more: gone\n` +
      `${clear}merging: 2 MB of about 5 MB${clear}podcap: full\n`,
  );
});

test('shows no progress where nobody looks, and no size of a pipe', () => {
  const unseen = start({});
  vi.advanceTimersByTime(200);
  unseen.report.progress(1e6);
  unseen.report.done([noCounts, noCounts], whole);
  expect(unseen.printed()).toBe('podcap: wrote 2 packets of 2 captures to out in 0.2 s\n');
  const piped = start({ isTTY: true }, [scanned({ addresses: undefined })]);
  vi.advanceTimersByTime(200);
  piped.report.progress(1e6);
  expect(piped.printed()).toBe(`${clear}merging: 1 MB`);
});

test('standard output needs no summary', () => {
  const { report, printed } = start({});
  report.done([noCounts], { packets: 1, captures: 1, to: undefined });
  expect([printed(), report.isIncomplete]).toEqual(['', false]);
});

test('a pipe that pauses again and again is reported once', () => {
  const { report, printed } = start({});
  for (let times = 0; times < 3; times += 1)
    for (const kind of ['slow', 'resumed'] as const) report.gap({ input: 1, kind });
  expect(printed().split('\n')).toEqual([
    'podcap: 1.pcap has sent nothing for a while: the others go on without it',
    'podcap: 1.pcap sends again: its packets follow, some of them later than others of the same time',
    '',
  ]);
  expect(report.isIncomplete).toBe(false);
});

test('lists a screenful of captures whose clock was set back, or that --side cannot help, and counts the rest', () => {
  const many = Array.from({ length: 14 }, (_, at) => scanned({ name: `${at}`, addresses: [] }));
  const { report, printed } = start({}, many);
  report.problems(many.map(({ capture }) => `problem of ${capture.name}`));
  report.done(
    many.map(() => ({ packets: 5, stepsBack: 1, earlier: 2, furthestBackSeconds: 1.23456, late: 1 })),
    { packets: 70, captures: 14, to: undefined },
  );
  const lines = printed().split('\n');
  expect(lines[9]).toBe('podcap: problem of 9');
  expect(lines[10]).toBe('podcap: 4 more like these');
  expect(lines[20]).toContain(
    '9: the time steps back once: 2 packets with an earlier time than one before, by at most 1.23 s; the order of the file stays',
  );
  expect(lines.slice(21)).toEqual([
    'podcap: 4 more captures whose time steps back',
    'podcap: 14 packets came too late for their place',
    '',
  ]);
});

test('packets are missing of a pipe that is given up', () => {
  const { report, printed } = start({});
  report.gap({ input: 1, kind: 'silent' });
  expect(report.isIncomplete).toBe(true);
  expect(printed()).toContain('1.pcap has sent nothing for too long, and is given up');
});

test('packets are missing where something is damaged', () => {
  const { report } = start({});
  report.damaged([]);
  expect(report.isIncomplete).toBe(false);
  report.damaged([{ message: 'cut', kind: 'cut', offset: 0, resumedAt: undefined }]);
  expect(report.isIncomplete).toBe(true);
});

function start(screen: { readonly isTTY?: boolean }, captures = files) {
  const stderr = Object.assign(new PassThrough(), screen);
  const report = new MergeReport({ env: {}, stdout: new PassThrough(), stderr }, captures, 'file');
  return { report, printed: () => String(stderr.read() ?? '') };
}
