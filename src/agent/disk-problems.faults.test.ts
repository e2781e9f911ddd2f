import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { list } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { memoryDisk } from '../testbed/test-disk.ts';
import { agentScene } from './testing/agent-scene.ts';
import { ringFilesOf } from './testing/recording-scene.ts';

const tries = [1, 2, 3, 4, 5];
const wanted = { 'tcpdump.antrea.io': '5' };
/** Within this time a fault must be visible. */
const seenWithinMs = 5_000;

test.each(tries)('a full disk shows in an Event and in metrics, and so does its end (%i)', async () => {
  await using disk = await memoryDisk(16);
  await using scene = await agentScene({ captures: disk.path });
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted)]));
  await using agent = await scene.start();
  const shows = async (line: string) => (await agent.ask('/metrics')).includes(`\n${line}\n`);
  await until(() => shows('podcap_captures{state="capturing"} 1'), { what: 'the capture' });
  await using _sending = await scene.testbed.startDatagrams({ rate: 1_000 });
  await disk.fill();
  // The next write of tcpdump sees it, or the next sample of the disk, whichever comes first.
  const seen = new Set([
    'CaptureFailed: will be retried: captures cannot be written: the disk is full (ENOSPC)',
    "DiskAlmostFull: the capture may use another 8 MB, but 0 % of the Node's disk must stay free: it starts when there is enough free space; fewer or smaller files may fit now",
  ]);
  await until(() => scene.events().some((event) => seen.has(event)), {
    what: 'the Event',
    deadlineMs: seenWithinMs,
  });
  await until(() => shows('podcap_captures{state="refused"} 1'), {
    what: 'the refusal in the metrics',
    deadlineMs: seenWithinMs,
  });
  expect(await shows('podcap_captures{state="capturing"} 0')).toBe(true);
  expect(await agent.ask('/readyz')).toBe('200 ok\n');
  await disk.free();
  await until(() => shows('podcap_captures{state="capturing"} 1'), { what: 'a capture', deadlineMs: 60_000 });
  await until(() => scene.eventReasons().at(-1) === 'CaptureStarted', { what: 'its Event' });
});

test.each(tries)('the minimum stays free, whatever fills the disk (%i)', async () => {
  await using disk = await memoryDisk(20);
  await using scene = await agentScene({ captures: disk.path, settings: { minFreeDiskPercent: 50 } });
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted)]));
  await using _agent = await scene.start();
  await until(() => scene.eventReasons().includes('CaptureStarted'), { what: 'the capture' });
  await disk.fillTo(0.49);
  await until(() => scene.eventReasons().includes('DiskAlmostFull'), {
    what: 'the refusal',
    deadlineMs: seenWithinMs,
  });
  await until(async () => (await scene.tcpdumps()).length === 0, { what: 'no tcpdump' });
  await scene.testbed.sendDatagrams({ count: 10 });
  await disk.free();
  await until(
    () =>
      scene.events().some((event) => event.endsWith('at most 10 packets missed since the previous capture')),
    {
      what: 'the next capture',
      deadlineMs: seenWithinMs,
    },
  );
  // Five times what the ring keeps.
  await scene.testbed.sendDatagrams({ count: 30_000, rate: 10_000, bytes: 1_000 });
  await until(async () => (await filesOf(disk.path)) === 5, { what: 'a full ring' });
  expect(await minFreeRatio(disk.path)).toBeGreaterThan(0.5);
});

test.each(tries)(
  'a capture over the budget is refused with what would help, and starts when there is capacity (%i)',
  async () => {
    // A ring of 5 files takes 7.57 MB.
    await using scene = await agentScene({ settings: { diskBudgetMegabytes: 10 } });
    const { script } = scene.server;
    script.list.push(list('5', [podObject('other', '3', wanted), podObject('web', '4', wanted)]));
    script.read.push({ kind: 'json', body: podObject('other', '6') });
    await using _agent = await scene.start();
    await until(() => scene.events().includes(overBudget), { what: 'the refusal' });
    expect(await scene.tcpdumps()).toEqual([]);
    const watch = await scene.server.nextWatch();
    watch.send({ type: 'MODIFIED', object: podObject('other', '6') });
    await until(() => scene.eventReasons().includes('CaptureStarted'), { what: 'the capture' });
    expect(await scene.tcpdumps()).toHaveLength(1);
  },
);

const overBudget =
  'OverBudget: the capture may use 8 MB, and other captures leave less of the 10 MB that all captures on this Node together may use: it starts when enough of them have ended; fewer or smaller files may fit now';

async function filesOf(captures: string): Promise<number> {
  return (await ringFilesOf(join(captures, 'default_web_uid-web'))).length;
}

async function minFreeRatio(path: string): Promise<number> {
  const { bavail, blocks } = await statfs(path);
  return bavail / blocks;
}
