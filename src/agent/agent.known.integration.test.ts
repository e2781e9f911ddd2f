import { closeSync, constants, existsSync, openSync, unlinkSync } from 'node:fs';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import * as v from 'valibot';
import { beforeAll, describe, expect, test } from 'vitest';
import { type ApiServer, list, refusal } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { run } from '../testbed/run-program.ts';
import { until } from '../testbed/until.ts';
import { vethTestbed } from '../testbed/veth-testbed.ts';
import { writeCniEntry } from '../testbed/write-cni-entry.ts';
import { agentScene } from './testing/agent-scene.ts';

const wanted = { 'tcpdump.antrea.io': '5' };
const folderOfWeb = 'default_web_uid-web';
const folderOfOld = 'default_old_uid-old';
/** For what must not come: there is nothing to wait for, and it takes a fraction of that where it comes. */
const shortly = 3_000;

describe('a capture for which the files of a Pod that has ended have to go', () => {
  let whenDeleted: Awaited<ReturnType<typeof captureBesideOld>>;
  let whenNotDeleted: Awaited<ReturnType<typeof captureBesideOld>>;

  beforeAll(async () => {
    whenDeleted = await captureBesideOld({ isReadable: true });
    whenNotDeleted = await captureBesideOld({ isReadable: false });
  });

  test('starts when they have gone', () => {
    expect(whenDeleted).toEqual({ isOldThere: false, isStarted: true });
  });

  test('leaves them when the API server does not say that they may go', () => {
    expect(whenNotDeleted.isOldThere).toBe(true);
  });

  test.fails('does not start while they stand', () => {
    expect(whenNotDeleted.isStarted).toBe(false);
  });
});

describe('a Pod that is captured when an older one asks for capacity that is not there', () => {
  let before: readonly string[];
  let after: readonly string[];

  beforeAll(async () => {
    await using scene = await agentScene({ settings: { diskBudgetMegabytes: 10 } });
    // Of the same second as far as the API server tells, and the first by its UID.
    const older = podObject('old', '6', wanted);
    scene.server.script.list.push(list('5', [podObject('web', '4', wanted)]));
    {
      await using _agent = await scene.start();
      await until(() => told(scene.server).includes('web CaptureStarted'), { what: 'the capture' });
      const watch = await scene.server.nextWatch();
      watch.send({ type: 'ADDED', object: older });
      await until(() => told(scene.server).length === 2, { what: 'the answer to the older Pod' });
      before = told(scene.server);
    }
    scene.server.script.list.push(list('6', [podObject('web', '4', wanted), older]));
    await using _next = await scene.start();
    const toldSince = () => told(scene.server).slice(before.length);
    await until(() => toldSince().some((what) => what.startsWith('web ')), {
      what: 'what becomes of the Pod',
    });
    after = toldSince();
  });

  test('goes on while the agent runs', () => {
    expect(before).toEqual(['web CaptureStarted', 'old OverBudget']);
  });

  test.fails('is captured on when the agent starts again', () => {
    expect(after).not.toContain('web OverBudget');
  });
});

// tcpdump's user may write into the folder: whoever takes it over leaves there what he likes.
describe('a Pod that is annotated when the tcpdump of another one was killed', () => {
  let besideFiles: boolean;
  let besidePipes: boolean;

  beforeAll(async () => {
    besideFiles = await isCapturedAfterKill({ leavesPipes: false });
    besidePipes = await isCapturedAfterKill({ leavesPipes: true });
  });

  test('is captured when that one leaves its files', () => {
    expect(besideFiles).toBe(true);
  });

  test.fails('is captured when that one leaves named pipes in their place', () => {
    expect(besidePipes).toBe(true);
  });
});

/** The Pod "web" is annotated when 9.9 of 10 MB belong to a Pod that has ended. */
async function captureBesideOld({ isReadable }: { readonly isReadable: boolean }) {
  await using scene = await agentScene({ settings: { diskBudgetMegabytes: 10 } });
  await mkdir(join(scene.captures, folderOfOld));
  await writeFile(join(scene.captures, folderOfOld, 'captres-old.1.pcap000'), Buffer.alloc(9_900_000));
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
  return { isOldThere: (await readdir(scene.captures)).includes(folderOfOld), isStarted };
}

async function isCapturedAfterKill({ leavesPipes }: { readonly leavesPipes: boolean }): Promise<boolean> {
  await using scene = await agentScene();
  await using other = await vethTestbed();
  const { netns } = other;
  await writeCniEntry({ folder: scene.cache, podUid: 'uid-db', podName: 'db', sandboxId: 'sandbox2', netns });
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted)]));
  await using _agent = await scene.start();
  await until(() => told(scene.server).includes('web CaptureStarted'), { what: 'the first capture' });
  const watch = await scene.server.nextWatch();
  const [pid] = await scene.tcpdumps();
  if (pid === undefined) throw new Error('no tcpdump');
  const folder = join(scene.captures, folderOfWeb);
  const pipes = [0, 1, 2, 3, 4, 5].map((index) => join(folder, `captres-web.1.pcap00${index}`));
  if (leavesPipes) {
    await Promise.all(pipes.map((path) => rm(path, { force: true })));
    await run(['mkfifo', ...pipes]);
  }
  process.kill(pid, 'SIGKILL');
  try {
    await until(async () => told(scene.server).includes('web CaptureFailed') || (await areFilesHeldUp()), {
      what: 'the end of the first tcpdump',
    });
    watch.send({ type: 'ADDED', object: podObject('db', '9', wanted) });
    return await until(() => told(scene.server).includes('db CaptureStarted'), {
      what: 'the second capture',
      deadlineMs: leavesPipes ? shortly : 10_000,
    }).catch(() => false);
  } finally {
    if (leavesPipes) removePipes(pipes);
  }
}

/** Whether no file of this process, which is the agent's, can be looked at any more. */
async function areFilesHeldUp(): Promise<boolean> {
  return await Promise.race([stat('/').then(() => false), setTimeout(1_000, true)]);
}

/** Whoever opened one to read reads its end. At once: what reads has every thread that files are read by. */
function removePipes(paths: readonly string[]): void {
  const there = paths.filter((path) => existsSync(path));
  const writing = there.map((path) => openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
  for (const path of there) unlinkSync(path);
  for (const descriptor of writing) closeSync(descriptor);
}

/** The Events so far: the name of each Pod and the reason. */
function told({ requests }: ApiServer): string[] {
  return requests.flatMap(({ path, body }) => {
    if (!path.endsWith('/events')) return [];
    const { involvedObject, reason } = v.parse(eventSchema, body);
    return [`${involvedObject.name} ${reason}`];
  });
}

const eventSchema = v.object({ involvedObject: v.object({ name: v.string() }), reason: v.string() });
