import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { specOf } from '../testing/fixtures.ts';
import { recordingScene } from '../testing/recording-scene.ts';
import type { CheckFilter } from './filter-check.ts';

/** A check that accepts everything but `udp`, for which it never has a result. */
function heldCheck() {
  const asked: string[] = [];
  const checkFilter: CheckFilter = (filter, signal) => {
    asked.push(filter);
    if (filter !== 'udp') return Promise.resolve({ kind: 'accepted' });
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  };
  return { asked, checkFilter };
}

test('a recording that waits for the check of its filter can be stopped', async () => {
  const { asked, checkFilter } = heldCheck();
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed, { checkFilter });
  const { recorder, reports } = await scene.start(5, { filter: 'udp' });
  await until(() => asked.length === 1, { what: 'the check' });
  await recorder.stop('AgentStopped');
  expect(reports.map(({ kind }) => kind)).toEqual(['stopped']);
});

test('a recording that waits for the check of its filter goes on with another one', async () => {
  const { asked, checkFilter } = heldCheck();
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed, { checkFilter });
  const { recorder, reports } = await scene.record(5, { filter: 'tcp' });
  recorder.change(specOf(5, { filter: 'udp' }));
  await until(() => asked.length === 2, { what: 'the check' });
  recorder.change(specOf(5, { filter: 'ip' }));
  await until(() => reports.length === 2, { what: 'the next capture' });
  await recorder.stop('AgentStopped');
  expect(asked).toEqual(['tcp', 'udp', 'ip']);
  expect(reports).toMatchObject([
    { kind: 'capturing', spec: { filter: 'tcp' } },
    { kind: 'capturing', spec: { filter: 'ip' } },
    { kind: 'stopped' },
  ]);
});

test('a filter is not checked again when its tcpdump is started again', async () => {
  const { asked, checkFilter } = heldCheck();
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed, { checkFilter });
  const { recorder, reports } = await scene.record(5, { filter: 'tcp' });
  process.kill(await scene.tcpdumpPid(), 'SIGKILL');
  await until(() => reports.filter(({ kind }) => kind === 'capturing').length === 2, { what: 'the restart' });
  await recorder.stop('AgentStopped');
  expect(asked).toEqual(['tcp']);
});
