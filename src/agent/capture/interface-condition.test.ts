import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { conditionOf, type InterfaceCondition, reportInterfaceCondition } from './interface-condition.ts';

const own = { index: 7, name: 'eth0', requestedIndex: 7 };
const renamed = { index: 7, name: 'eth1', requestedIndex: undefined };
const replaced = { index: 7, name: 'eth1', requestedIndex: 9 };

test.each([
  [true, undefined, { kind: 'normal' }],
  [true, own, { kind: 'normal' }],
  [false, own, { kind: 'down' }],
  [true, renamed, { kind: 'renamed', name: 'eth1' }],
  [false, renamed, { kind: 'down' }],
  [true, replaced, { kind: 'replaced' }],
  [false, replaced, { kind: 'replaced' }],
  // Started with an alternative name, by which the kernel finds it as well.
  [true, { index: 7, name: 'enp1s0', requestedIndex: 7 }, { kind: 'normal' }],
])('up: %s, captured: %o: %o', (isUp, captured, condition) => {
  expect(conditionOf(isUp, captured)).toEqual(condition);
});

function scene() {
  const reported: InterfaceCondition[] = [];
  let rechecks = 0;
  const reports = reportInterfaceCondition({
    onChange: (condition) => reported.push(condition),
    recheck: () => (rechecks += 1),
    settledAfterMs: 20,
  });
  return { reported, reports, rechecks: () => rechecks };
}

test('reports what lasts, once, and when it is over', async () => {
  const { reported, reports } = scene();
  using _ending = reports;
  reports.setCaptured(own);
  reports.setUp(false);
  await until(() => reported.length === 1, { what: 'a report' });
  reports.setUp(false);
  reports.setUp(true);
  reports.setCaptured(own);
  expect(reported).toEqual([{ kind: 'down' }, { kind: 'normal' }]);
});

test('an interface that is down on its way to another name is reported with its new name', async () => {
  const { reported, reports } = scene();
  using _ending = reports;
  reports.setUp(false);
  reports.setCaptured(renamed);
  reports.setUp(true);
  await until(() => reported.length === 1, { what: 'a report' });
  expect(reported).toEqual([{ kind: 'renamed', name: 'eth1' }]);
});

test('asks who has the name until another interface has it', async () => {
  const { reported, reports, rechecks } = scene();
  using _ending = reports;
  reports.setCaptured(renamed);
  await until(() => rechecks() > 1, { what: 'a second question' });
  expect(reports.isSuperseded()).toBe(false);
  reports.setCaptured(replaced);
  await until(() => reports.isSuperseded(), { what: 'the report' });
  expect(reported.at(-1)).toEqual({ kind: 'replaced' });
  const asked = rechecks();
  reports.setCaptured(own);
  expect(reports.isSuperseded()).toBe(false);
  expect(rechecks()).toBe(asked);
});
