import { expect, test } from 'vitest';
import { testCapture, testRecording } from '../../hub/api/testing/memory-captures.ts';
import { capturesTable, type TableOptions } from './captures-table.ts';

const nowMs = Date.parse('2026-11-30T12:30:05Z');

const running = testCapture({
  recordings: [
    testRecording({
      lostAtStop: 0,
      missed: 3,
      unseen: 12,
      isUnseenPartial: true,
      firstPacketTime: '2026-11-30T12:00:06.5Z',
      lastPacketTime: '2026-11-30T12:29:06.9Z',
      frozen: [{ number: 2, time: '2026-11-30T12:00:00Z', causes: [], files: 1, bytes: 1 }],
    }),
  ],
});
const { packets: _packets, dropped: _dropped, ...unknown } = testRecording({ phase: 'Refused' });
const refused = testCapture({
  name: 'a-longer-name',
  namespace: 'default',
  recordings: [{ ...unknown, reason: 'InvalidRequest', files: 0, bytes: 0 }],
});

function table(options: Partial<TableOptions> = {}) {
  return capturesTable({
    hasNamespaces: false,
    isWide: false,
    hasColours: false,
    columns: undefined,
    ...options,
  });
}

function lines(options: Partial<TableOptions>, captures = [running, refused]): string[] {
  return table(options)
    .rows(
      captures.map((capture) => ({ capture })),
      nowMs,
    )
    .trimEnd()
    .split('\n');
}

test('a pipe gets every column, and what is not known as <unknown>', () => {
  expect(lines({})).toEqual([
    'NAME            NODE     STATE                    FILES   SIZE    PACKETS     DROPPED     LOST        MISSED      UNSEEN      SPAN        FROZEN',
    'web-0           node-a   Capturing                3       2.4Mi   1234        0           0           3           12+         29m         2',
    'a-longer-name   node-a   Refused:InvalidRequest   0       0       <unknown>   <unknown>   <unknown>   <unknown>   <unknown>   <unknown>   <none>',
  ]);
});

test('all columns and the namespaces', () => {
  const [heading, first] = lines({ hasNamespaces: true, isWide: true }, [running]);
  expect(heading).toMatch(/^NAMESPACE {3}NAME .* FROZEN {3}SINCE {3}AGE {3}FILTER {8}UID$/);
  expect(first).toMatch(
    /^shop {8}web-0 .* 30m {5}30m {3}tcp port 80 {3}0a1b2c3d-0000-4000-8000-000000000001$/,
  );
});

test.each([
  [160, 'NAME NODE STATE FILES SIZE PACKETS DROPPED LOST MISSED UNSEEN SPAN FROZEN', ''],
  [80, 'NAME NODE STATE SIZE PACKETS UNSEEN', 'FILES DROPPED LOST MISSED SPAN FROZEN'],
  [60, 'NAME STATE SIZE PACKETS', 'NODE FILES DROPPED LOST MISSED UNSEEN SPAN FROZEN'],
  [40, 'NAME STATE', 'NODE FILES SIZE PACKETS DROPPED LOST MISSED UNSEEN SPAN FROZEN'],
  [10, 'NAME STATE', 'NODE FILES SIZE PACKETS DROPPED LOST MISSED UNSEEN SPAN FROZEN'],
])('on a terminal of %i columns: %s', (columns, shown, leftOut) => {
  const narrow = table({ columns });
  const [heading = '', ...rows] = narrow
    .rows([{ capture: running }, { capture: refused }], nowMs)
    .trimEnd()
    .split('\n');
  expect(heading.split(/ +/).join(' ')).toBe(shown);
  expect(narrow.leftOut().join(' ')).toBe(leftOut);
  const longest = Math.max(...[heading, ...rows].map(({ length }) => length));
  expect(longest).toBeLessThanOrEqual(Math.max(columns, 'a-longer-name   Refused:InvalidRequest'.length));
});

test('where there is no room for all counters, those that count something stay', () => {
  const dropping = testCapture({ recordings: [testRecording({ dropped: 0, lostAtStop: 0, unseen: 7 })] });
  const [heading] = lines({ columns: 62 }, [dropping]);
  expect(heading).toContain('UNSEEN');
  expect(heading).not.toContain('DROPPED');
});

test('rows of later changes are aligned with those before, without another heading', () => {
  const watched = table();
  const first = watched.rows([{ capture: refused }], nowMs).split('\n');
  const [second = ''] = watched.rows([{ capture: running, isGone: true }], nowMs).split('\n');
  expect(second).toMatch(/^web-0 +node-a +Gone /);
  expect(second.indexOf('Gone')).toBe(first[0]?.indexOf('STATE'));
  expect(watched.rows([{ capture: running }], nowMs)).not.toContain('NAME');
});

test('states and losses have colours, which change no column', () => {
  const losing = testCapture({ recordings: [testRecording({ dropped: 5 })] });
  const [, row = ''] = lines({ hasColours: true }, [losing]);
  expect(row).toContain('\u001b[32mCapturing\u001b[39m');
  expect(row).toContain('\u001b[31m5\u001b[39m');
  // oxlint-disable-next-line no-control-regex
  expect(row.replaceAll(/\u001b\[\d+m/g, '')).toBe(lines({}, [losing])[1]);
});

test('a name with control characters does not reach the terminal as it is', () => {
  const hostile = testCapture({ recordings: [testRecording({ node: 'a\u001b[2Jb' })] });
  expect(lines({}, [hostile])[1]).toContain(String.raw`a\u001b[2Jb`);
});
