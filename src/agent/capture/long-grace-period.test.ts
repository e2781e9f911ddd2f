import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { bootClock } from '../../base/clock.ts';
import { happens } from '../../base/until.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import type { Spawner } from '../spawner/spawner.ts';
import { openCaptureFolders } from '../storage/capture-folders.ts';
import { podWith, specOf } from '../testing/fixtures.ts';
import { openHandovers } from './handovers.ts';
import { startPodLoop } from './pod-loop.ts';

test('a Pod that may take a year to end is looked at no more often than others', async () => {
  await using root = await temporaryFolder();
  const clock = await bootClock();
  const log = pino({ level: 'silent' });
  const folders = await openCaptureFolders({ root: root.path, groupId: process.getgid?.() ?? 0, clock, log });
  let looks = 0;
  const pod = podWith({ uid: 'u', gracePeriodSeconds: 365 * 86_400 });
  await using loop = startPodLoop(
    'u',
    {
      folders,
      clock,
      log,
      networks: {
        async find() {
          looks += 1;
          return { sandboxId: 's', netns: '/run/netns/x', addresses: [] };
        },
        absence: () => '',
        forget() {},
        onChange: () => () => {},
        count: () => 1,
        async [Symbol.asyncDispose]() {},
      },
      handovers: openHandovers(),
      status: { report() {}, started() {}, count() {}, forget() {} },
      settings: { spawner, agent: 'a', nodeName: 'n', maxFiles: 100 },
      checkFilter: async () => ({ kind: 'accepted' }),
      mayDelete: async () => false,
      onFolders() {},
      requestPlan() {},
    },
    () => {},
  );
  loop.decide({ kind: 'record', pod, spec: specOf(1) }, { bufferKib: new Map([['eth0', 4_096]]) });
  await sleep(300);
  loop.decide({ kind: 'keep', why: 'PodEnded' });
  await sleep(300);
  looks = 0;
  expect(await happens(() => looks > 20, { withinMs: 1_000 })).toBe(false);
  expect(loop.recording()).toBeDefined();
});

/** Its tcpdump listens at once, and ends when it is told to. */
const spawner: Spawner = {
  pid: 1,
  start({ onLine }) {
    const ended = Promise.withResolvers<string>();
    queueMicrotask(() => onLine('tcpdump: listening on eth0, link-type EN10MB (Ethernet)'));
    return {
      pid: () => process.pid,
      write() {},
      kill(signal) {
        const counts = '0 packets captured, 0 packets received by filter, 0 packets dropped by kernel';
        if (signal === 'SIGUSR1') queueMicrotask(() => onLine(counts));
        else ended.resolve('ended');
      },
      ended: ended.promise,
    };
  },
  async [Symbol.asyncDispose]() {},
};
