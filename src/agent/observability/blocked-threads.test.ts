import { pino } from 'pino';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { serveProbes } from '../../observability/probe-server.ts';
import { blockThreads } from '../../testbed/blocked-threads.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { startDiskSampling } from '../storage/disk-sampling.ts';
import { trackProgress } from './progress.ts';

/** So that a minute without progress takes 4 s. */
const fast = 15;

test('/healthz fails while all threads that access files are blocked, and not before or after', async () => {
  await using folder = await temporaryFolder();
  const progress = trackProgress(() => fast * performance.now());
  const log = pino({ level: 'silent' });
  using _sampling = await startDiskSampling({
    root: folder.path,
    folders: { states: () => new Map(), measureAll: async () => {} },
    minFreeDiskPercent: 0,
    heldBytes: async () => 0,
    onSample: () => {},
    progress,
    log,
  });
  const options = { port: 0, stuckWork: progress.stuck, unreadyReasons: () => [], log };
  await using probes = await serveProbes(options);
  const health = async () => {
    const response = await fetch(`http://127.0.0.1:${probes.port}/healthz`);
    return `${response.status} ${await response.text()}`;
  };
  expect(await health()).toBe('200 ok\n');
  {
    await using _blocked = blockThreads(folder.path);
    const failed = await until(async () => (await health()).startsWith('503') && (await health()), {
      what: '/healthz to fail',
      deadlineMs: 30_000,
    });
    expect(failed).toMatch(/^503 sampling the disk: not done for 6\d s\n$/);
  }
  await until(async () => (await health()) === '200 ok\n', { what: '/healthz to recover' });
});
