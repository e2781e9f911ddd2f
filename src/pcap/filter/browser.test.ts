import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

test('the filter language needs nothing of Node.js', async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: `
        import { parseFilter } from './filter.ts';
        import { showProblem } from './show-problem.ts';
        import { filterHelp } from './filter-help.ts';
        const filter = parseFilter('tcp and "x" or host fd00::1');
        const problem = parseFilter('tpc');
        result = [filter.kind, showProblem('tpc', problem, 80), filterHelp(80).length > 100];`,
      resolveDir: import.meta.dirname,
    },
    bundle: true,
    write: false,
    platform: 'browser',
    logLevel: 'silent',
  });
  const context = createContext({ result: undefined, TextEncoder });
  runInContext(outputFiles[0]?.text ?? '', context);
  expect(context['result']).toEqual(['filter', 'tpc\n^^^ "tpc" is not known: did you mean "tcp"?', true]);
});
