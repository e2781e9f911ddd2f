import { closeSync, constants, existsSync, openSync, unlinkSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import * as v from 'valibot';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { type ApiServer, list } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { run } from '../testbed/run-program.ts';
import { vethTestbed } from '../testbed/veth-testbed.ts';
import { writeCniEntry } from '../testbed/write-cni-entry.ts';
import { agentScene } from './testing/agent-scene.ts';

const wanted = { 'tcpdump.antrea.io': '5' };
const folderOfWeb = 'default_web_uid-web';
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

  test('is captured if that tcpdump leaves named pipes in their place', () => {
    expect(withPipes).toBe(true);
  });
});

async function isCapturedAfterKill({ leavesPipes }: { readonly leavesPipes: boolean }): Promise<boolean> {
  await using scene = await agentScene();
  await using other = await vethTestbed();
  const { netns } = other;
  await writeCniEntry({ folder: scene.cache, podUid: 'uid-db', podName: 'db', sandboxId: 'sandbox2', netns });
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted)]));
  await using _agent = await scene.start();
  await until(() => eventsOf(scene.server).includes('web CaptureStarted'), { what: 'the first capture' });
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
      async () => eventsOf(scene.server).includes('web CaptureFailed') || (await isFileAccessBlocked()),
      {
        what: 'the end of the first tcpdump',
      },
    );
    watch.send({ type: 'ADDED', object: podObject('db', '9', wanted) });
    return await until(() => eventsOf(scene.server).includes('db CaptureStarted'), {
      what: 'the second capture',
      deadlineMs: 10_000,
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

/** The Events so far, each as `<name of the Pod> <reason>`. */
function eventsOf({ requests }: ApiServer): string[] {
  return requests.flatMap(({ path, body }) => {
    if (!path.endsWith('/events')) return [];
    const { involvedObject, reason } = v.parse(eventSchema, body);
    return [`${involvedObject.name} ${reason}`];
  });
}

const eventSchema = v.object({ involvedObject: v.object({ name: v.string() }), reason: v.string() });
