import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { writeCniEntry } from '../../testbed/write-cni-entry.ts';
import { specOf } from '../testing/fixtures.ts';
import { recordingScene } from '../testing/recording-scene.ts';
import { type CheckFilter, filterChecks } from './filter-check.ts';

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
  // Its folder is made at the same time.
  await until(() => asked.length === 1 && 'size' in recorder.ring(), { what: 'the check' });
  await recorder.stop('AgentStopped');
  // It may not have begun yet.
  expect(reports.filter(({ kind }) => kind !== 'stopped')).toEqual([]);
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

test('a filter that is too heavy is refused once, and not checked again by itself', async () => {
  const real = filterChecks({ userId: 10_001, atOnce: 2 });
  const asked: string[] = [];
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed, {
    checkFilter(filter, signal) {
      asked.push(filter);
      return real(filter, signal);
    },
  });
  const heavy = `portrange ${Array.from({ length: 190 }, (_, i) => `${2 * i}-${2 * i + 1}`).join('||')}`;
  const { recorder, reports } = await scene.record(5, { filter: heavy }, 'refused');
  // Another sandbox makes the recorder look again at what there is to do.
  await writeCniEntry({ ...scene.entry, sandboxId: 'sandbox2' });
  recorder.change(specOf(5, { filter: 'udp' }));
  await until(() => reports.some(({ kind }) => kind === 'capturing'), { what: 'the next capture' });
  await recorder.stop('AgentStopped');
  expect(asked).toEqual([heavy, 'udp']);
  expect(reports).toMatchObject([
    { kind: 'refused', refusal: { reason: 'InvalidFilter', message: expect.stringContaining('to compile') } },
    { kind: 'capturing' },
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
