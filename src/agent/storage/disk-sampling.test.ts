import { pino } from 'pino';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { trackProgress } from '../observability/progress.ts';
import { startDiskSampling } from './disk-sampling.ts';

test.each([
  ['sample', ['plan']],
  // The plan must not count what a capture wrote both as its growth and as space that is no longer free.
  ['measure', ['captures', 'plan']],
] as const)('%s() leads to %j, in this order', async (method, expected) => {
  await using folder = await temporaryFolder();
  const order: string[] = [];
  using sampling = await startDiskSampling({
    root: folder.path,
    folders: { measureAll: async () => void order.push('captures'), states: () => new Map() },
    minFreeDiskPercent: 0,
    heldBytes: async () => 0,
    onSample: () => order.push('plan'),
    progress: trackProgress(),
    log: pino({ level: 'silent' }),
  });
  sampling[method]();
  await until(() => order.includes('plan'), { what: 'the plan' });
  expect(order).toEqual(expected);
});
