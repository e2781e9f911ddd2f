import { expect, test } from 'vitest';
import { temporaryFolder } from '../testbed/temporary-folder.ts';
import { createOutputFile } from './output-file.ts';

const signals = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const;
const listeners = () => signals.map((signal) => process.listenerCount(signal));

test.each(['complete', 'given up'])(
  'while a file is written, signals are handled, and not after it is %s',
  async (end) => {
    await using folder = await temporaryFolder();
    const before = listeners();
    {
      const created = await createOutputFile(`${folder.path}/out`);
      if (created.kind !== 'open') throw new Error('it cannot be written');
      await using file = created;
      expect(listeners()).toEqual(before.map((count) => count + 1));
      if (end === 'complete') await file.complete();
    }
    expect(listeners()).toEqual(before);
  },
);
