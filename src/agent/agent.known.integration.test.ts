import { closeSync, constants, existsSync, openSync, unlinkSync } from 'node:fs';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { list, refusal } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { run } from '../testbed/run-program.ts';
import { vethTestbed } from '../testbed/veth-testbed.ts';
import { writeCniEntry } from '../testbed/write-cni-entry.ts';
import { agentScene } from './testing/agent-scene.ts';

const wanted = { 'tcpdump.antrea.io': '5' };
const folderOfWeb = 'default_web_uid-web';
const folderOfOld = 'default_old_uid-old';
/** How long something must not happen: if it does, that takes a fraction of this. */
const shortly = 3_000;

describe('a capture that needs the space of files of an ended Pod', () => {
  let whenDeleted: Awaited<ReturnType<typeof captureBesideOld>>;
  let whenNotDeleted: Awaited<ReturnType<typeof captureBesideOld>>;

  beforeAll(async () => {
    whenDeleted = await captureBesideOld({ isReadable: true });
    whenNotDeleted = await captureBesideOld({ isReadable: false });
  });

  test('starts once they are deleted', () => {
    expect(whenDeleted).toEqual({ hasOldFiles: false, isStarted: true });
  });

  test('leaves them if the API server does not confirm that they may be deleted', () => {
    expect(whenNotDeleted.hasOldFiles).toBe(true);
  });

  test.fails('does not start while they exist', () => {
    expect(whenNotDeleted.isStarted).toBe(false);
  });
});

// tcpdump's user may write into the folder: anyone who takes over tcpdump can leave anything there.
describe('a Pod that is annotated after the tcpdump of another Pod was killed', () => {
  let withFiles: boolean;
  let withPipes: boolean;

  beforeAll(async () => {
    withFiles = await isCapturedAfterKill({ leavesPipes: false });
    withPipes = await isCapturedAfterKill({ leavesPipes: true });
  });

  test('is captured if that tcpdump leaves its files', () => {
    expect(withFiles).toBe(true);
  });

  test.fails('is captured if that tcpdump leaves named pipes in their place', () => {
    expect(withPipes).toBe(true);
  });
});

/** Annotates the Pod "web" while the files of an ended Pod take 9.9 of 10 MB. */
async function captureBesideOld({ isReadable }: { readonly isReadable: boolean }) {
  await using scene = await agentScene({ settings: { diskBudgetMegabytes: 10 } });
  await mkdir(join(scene.captures, folderOfOld));
  await writeFile(join(scene.captures, folderOfOld, 'captres-old.1.pcap000000000'), Buffer.alloc(9_900_000));
  const answer = isReadable ? refusal(404, 'NotFound') : refusal(500, 'InternalError');
  scene.server.script.read.push(...Array.from({ length: 1_000 }, () => answer));
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted)]));
  await using _agent = await scene.start();
  await until(() => scene.server.requests.some(({ kind }) => kind === 'read'), {
    what: 'the old Pod to be read',
  });
  const isStarted = await until(() => scene.eventReasons().includes('CaptureStarted'), {
    what: 'the capture',
    deadlineMs: isReadable ? 10_000 : shortly,
  }).catch(() => false);
  return { hasOldFiles: (await readdir(scene.captures)).includes(folderOfOld), isStarted };
}

async function isCapturedAfterKill({ leavesPipes }: { readonly leavesPipes: boolean }): Promise<boolean> {
  await using scene = await agentScene();
  await using other = await vethTestbed();
  const { netns } = other;
  await writeCniEntry({ folder: scene.cache, podUid: 'uid-db', podName: 'db', sandboxId: 'sandbox2', netns });
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted)]));
  await using _agent = await scene.start();
  await until(() => scene.podEvents().includes('web CaptureStarted'), { what: 'the first capture' });
  const watch = await scene.server.nextWatch();
  const [pid] = await scene.tcpdumps();
  if (pid === undefined) throw new Error('no tcpdump');
  const folder = join(scene.captures, folderOfWeb);
  const pipes = [0, 1, 2, 3, 4, 5].map((index) => join(folder, `captres-web.1.pcap00000000${index}`));
  if (leavesPipes) {
    await Promise.all(pipes.map((path) => rm(path, { force: true })));
    await run(['mkfifo', ...pipes]);
  }
  process.kill(pid, 'SIGKILL');
  try {
    await until(
      async () => scene.podEvents().includes('web CaptureFailed') || (await isFileAccessBlocked()),
      {
        what: 'the end of the first tcpdump',
      },
    );
    watch.send({ type: 'ADDED', object: podObject('db', '9', wanted) });
    return await until(() => scene.podEvents().includes('db CaptureStarted'), {
      what: 'the second capture',
      deadlineMs: leavesPipes ? shortly : 10_000,
    }).catch(() => false);
  } finally {
    if (leavesPipes) removePipes(pipes);
  }
}

/** Whether this process, which runs the agent, can access no file any more. */
async function isFileAccessBlocked(): Promise<boolean> {
  return await Promise.race([stat('/').then(() => false), setTimeout(1_000, true)]);
}

/**
 * Ends every read of these pipes. Synchronously, because the reads occupy every thread for file access.
 */
function removePipes(paths: readonly string[]): void {
  const existing = paths.filter((path) => existsSync(path));
  const writing = existing.map((path) => openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
  for (const path of existing) unlinkSync(path);
  for (const descriptor of writing) closeSync(descriptor);
}
