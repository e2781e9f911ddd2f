import { chmod, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { podObject } from '../../kubernetes/testing/pod-object.ts';
import { bridgeTestbed } from '../../testbed/bridge-testbed.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { writeCniEntry } from '../../testbed/write-cni-entry.ts';
import { agentScene } from '../testing/agent-scene.ts';

const pods = 12;
/** A check may take a second of CPU time, and the cores of a Node are for its Pods. */
const mostAtOnce = 4;

describe(`${pods} Pods that are annotated with a filter at once`, () => {
  let atOnce: number;
  let started: number;

  beforeAll(async () => {
    ({ atOnce, started } = await annotateWithFilters());
  }, 60_000);

  test('are all captured', () => {
    expect(started).toBe(pods);
  });

  test.fails(`have no more than ${mostAtOnce} filters compiled at the same time`, () => {
    expect(atOnce).toBeLessThanOrEqual(mostAtOnce);
  });
});

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
  const folder = await temporaryFolder();
  const program = join(folder.path, 'tcpdump');
  const script = `#!/bin/sh
: >'${folder.path}'/compiling-$$
until [ -e '${folder.path}'/open ]; do sleep 0.02; done
PATH='${path}' exec tcpdump "$@"
`;
  await writeFile(program, script);
  await chmod(program, 0o755);
  return {
    folder: folder.path,
    count: async () => (await readdir(folder.path)).filter((name) => name.startsWith('compiling-')).length,
    letThrough: () => writeFile(join(folder.path, 'open'), ''),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
