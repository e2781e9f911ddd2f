import { chmod, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { podObject } from '../../kubernetes/testing/pod-object.ts';
import { bridgeTestbed } from '../../testbed/bridge-testbed.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { writeCniEntry } from '../../testbed/write-cni-entry.ts';
import { agentScene } from '../testing/agent-scene.ts';
import { filterChecks } from './filter-check.ts';

const pods = 12;
/** A check may take a second of CPU time, and the cores of a Node are for its Pods. */
const mostAtOnce = 2;

describe(`${pods} Pods that are annotated with a filter at once`, () => {
  let atOnce: number;
  let started: number;

  beforeAll(async () => {
    ({ atOnce, started } = await annotateWithFilters());
  }, 60_000);

  test('are all captured', () => {
    expect(started).toBe(pods);
  });

  test(`have no more than ${mostAtOnce} filters compiled at the same time`, () => {
    expect(atOnce).toBeLessThanOrEqual(mostAtOnce);
  });
});

describe('checks that wait for each other', () => {
  const { signal: never } = new AbortController();
  const filters = Array.from({ length: 6 }, (_, index) => `udp port ${1 + index}`);

  test('do not use up their time limit while they wait', { timeout: 60_000 }, async () => {
    const path = process.env['PATH'] ?? '';
    await using slow = await compilerFolder(path, 'sleep 1');
    // Six seconds for all.
    const check = filterChecks({ userId: 10_001, atOnce: 1, timeoutMs: 5_000 });
    process.env['PATH'] = `${slow.path}:${path}`;
    try {
      const checks = await Promise.all(filters.map((filter) => check(filter, never)));
      expect(checks).toEqual(filters.map(() => ({ kind: 'accepted' })));
    } finally {
      process.env['PATH'] = path;
    }
  });

  test('compile a filter once that several ask for', async () => {
    const path = process.env['PATH'] ?? '';
    await using waiting = await waitingCompiler(path);
    const check = filterChecks({ userId: 10_001, atOnce: 2 });
    process.env['PATH'] = `${waiting.folder}:${path}`;
    try {
      const checks = ['tcp', 'tcp', 'tcp', 'udp', 'tcp'].map((filter) => check(filter, never));
      await until(async () => (await waiting.count()) === 2, { what: 'both filters' });
      await waiting.letThrough();
      expect(await Promise.all(checks)).toEqual(checks.map(() => ({ kind: 'accepted' })));
      expect(await waiting.count()).toBe(2);
    } finally {
      process.env['PATH'] = path;
    }
  });

  test('compile a filter once, whatever the result, also for those who ask later', async () => {
    const path = process.env['PATH'] ?? '';
    await using waiting = await waitingCompiler(path);
    await waiting.letThrough();
    const check = filterChecks({ userId: 10_001, atOnce: 2 });
    process.env['PATH'] = `${waiting.folder}:${path}`;
    try {
      for (const filter of ['tcp', ranges(190), 'tcp', ranges(190)]) await check(filter, never);
      expect(await check(ranges(190), never)).toMatchObject({ kind: 'rejected' });
      expect(await waiting.count()).toBe(2);
    } finally {
      process.env['PATH'] = path;
    }
  });

  test('refuse a filter that crashes tcpdump, instead of trying again', async () => {
    const path = process.env['PATH'] ?? '';
    await using crashing = await compilerFolder(path, 'kill -SEGV $$');
    process.env['PATH'] = `${crashing.path}:${path}`;
    try {
      expect(await filterChecks({ userId: 10_001, atOnce: 1 })('tcp', never)).toEqual({
        kind: 'rejected',
        problem: 'tcpdump ends with SIGSEGV when it compiles it',
      });
    } finally {
      process.env['PATH'] = path;
    }
  });

  test('make way when no Pod needs their results', async () => {
    const path = process.env['PATH'] ?? '';
    await using waiting = await waitingCompiler(path);
    const check = filterChecks({ userId: 10_001, atOnce: 1 });
    const aborting = new AbortController();
    process.env['PATH'] = `${waiting.folder}:${path}`;
    try {
      const unwanted = filters.map((filter) => check(filter, aborting.signal));
      await until(async () => (await waiting.count()) === 1, { what: 'the first filter' });
      aborting.abort(new Error('not wanted'));
      const results = await Promise.allSettled(unwanted);
      expect(results.map(({ status }) => status)).toEqual(filters.map(() => 'rejected'));
      await waiting.letThrough();
      expect(await check('tcp', never)).toEqual({ kind: 'accepted' });
      expect(await waiting.count()).toBe(2);
    } finally {
      process.env['PATH'] = path;
    }
  });
});

/** An expression that takes too much time to compile. */
function ranges(count: number): string {
  return `portrange ${Array.from({ length: count }, (_, i) => `${2 * i}-${2 * i + 1}`).join('||')}`;
}

async function annotateWithFilters(): Promise<{ readonly atOnce: number; readonly started: number }> {
  const path = process.env['PATH'] ?? '';
  await using waiting = await waitingCompiler(path);
  await using scene = await agentScene();
  await using testbed = await bridgeTestbed(pods);
  for (const { name, netns } of testbed.pods) {
    const pod = { podName: name, podUid: `uid-${name}`, sandboxId: `sandbox-${name}` };
    await writeCniEntry({ folder: scene.cache, netns, ...pod });
  }
  await using _agent = await scene.start();
  const watch = await scene.server.nextWatch();
  // The spawner has been started by now, and finds the real one.
  process.env['PATH'] = `${waiting.folder}:${path}`;
  try {
    for (const [index, { name }] of testbed.pods.entries()) {
      const annotations = { 'tcpdump.antrea.io': '1', 'podcap.dev/filter': `udp port ${1 + index}` };
      watch.send({ type: 'ADDED', object: podObject(name, '4', annotations) });
    }
    // Nothing shows that no more will start; without a limit, all start within a fraction of that time.
    await until(async () => (await waiting.count()) === pods, { what: 'all', deadlineMs: 3_000 }).catch(
      () => {},
    );
    const atOnce = await waiting.count();
    await waiting.letThrough();
    const started = () => scene.eventReasons().filter((reason) => reason === 'CaptureStarted').length;
    await until(() => started() === pods, { what: 'the captures', deadlineMs: 30_000 });
    return { atOnce, started: started() };
  } finally {
    process.env['PATH'] = path;
  }
}

/** A folder with a tcpdump that waits before it compiles a filter, until letThrough() is called. */
async function waitingCompiler(path: string) {
  const marks = await temporaryFolder();
  // The programs have a user of their own.
  await chmod(marks.path, 0o777);
  const wait = `: >'${marks.path}'/compiling-$$; until [ -e '${marks.path}'/open ]; do sleep 0.02; done`;
  const program = await compilerFolder(path, wait);
  return {
    folder: program.path,
    count: async () => (await readdir(marks.path)).filter((name) => name.startsWith('compiling-')).length,
    letThrough: () => writeFile(join(marks.path, 'open'), ''),
    async [Symbol.asyncDispose]() {
      await program[Symbol.asyncDispose]();
      await marks[Symbol.asyncDispose]();
    },
  };
}

/** A folder with a tcpdump that runs the shell command before it becomes the real one. */
async function compilerFolder(path: string, command: string) {
  const folder = await temporaryFolder();
  const program = join(folder.path, 'tcpdump');
  await writeFile(program, `#!/bin/sh\n${command}\nPATH='${path}' exec tcpdump "$@"\n`);
  await chmod(program, 0o755);
  return folder;
}
