import { expect, test } from 'vitest';
import { fittingReports, type MeasuredReport } from './fitting-reports.ts';

const bounds = { recordings: 10, reportBytes: 1_000 };

/** Reports of one namespace, the newest last: their names are the namespace and a number. */
function reportsOf(namespace: string, count: number, bytes: number): readonly MeasuredReport[] {
  return Array.from({ length: count }, (_, at) => {
    const startTime = new Date(Date.UTC(2026, 0, 1) + at * 1_000).toISOString();
    const status = { phase: 'Ended' as const, phaseSince: startTime, startTime, interfaces: ['eth0'] };
    const counted = { requestedBy: { kind: 'Annotation' }, files: 1, bytes: 1 } as const;
    const uid = `${namespace}-${at}`;
    return { recording: { namespace, name: uid, uid, status: { ...status, ...counted } }, bytes };
  });
}

const uidsOf = (reports: readonly MeasuredReport[]) =>
  reports.map(({ recording }) => recording.uid).toSorted();

test('what fits is told, whoever has it', () => {
  const all = [...reportsOf('shop', 9, 100), ...reportsOf('bank', 1, 100)];
  expect(uidsOf(fittingReports(all, bounds))).toEqual(uidsOf(all));
});

test.for([
  ['long', reportsOf('greedy', 50, 400), ['greedy-48', 'greedy-49']],
  ['many', reportsOf('greedy', 50, 1), [3, 4, 5, 6, 7, 8, 9].map((at) => `greedy-${at + 40}`)],
] as const)(
  'reports of one namespace that are %s leave out its own oldest, and none of another',
  ([, greedy, kept]) => {
    const quiet = reportsOf('quiet', 3, 50);
    for (const all of [
      [...quiet, ...greedy],
      [...greedy, ...quiet],
    ])
      expect(uidsOf(fittingReports(all, bounds))).toEqual([...kept, ...uidsOf(quiet)]);
  },
);

test('namespaces that all have too much get the same, the newest of each', () => {
  const all = ['a', 'b', 'c'].flatMap((namespace) => reportsOf(namespace, 20, 150));
  expect(uidsOf(fittingReports(all, bounds))).toEqual(['a-18', 'a-19', 'b-18', 'b-19', 'c-18', 'c-19']);
});

test('a report that does not fit does not keep another namespace from telling what does', () => {
  const all = [...reportsOf('a', 1, 900), ...reportsOf('b', 1, 200), ...reportsOf('c', 1, 100)];
  expect(uidsOf(fittingReports(all, bounds))).toEqual(['a-0', 'c-0']);
});
