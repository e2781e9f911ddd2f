import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { list, refusal } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { agentScene } from './testing/agent-scene.ts';

const wanted = { 'tcpdump.antrea.io': '5' };
const folderOfOld = 'default_old_uid-old';

describe('a capture that needs the space of files of an ended Pod', () => {
  let whenDeleted: Awaited<ReturnType<typeof captureBesideOld>>;
  let whenNotDeleted: Awaited<ReturnType<typeof captureBesideOld>>;

  beforeAll(async () => {
    whenDeleted = await captureBesideOld({ isReadable: true });
    whenNotDeleted = await captureBesideOld({ isReadable: false });
  });

  test('starts once they are deleted, and its Pod is told nothing else', () => {
    expect(whenDeleted).toMatchObject({ hasOldFiles: false, isStarted: true, refusals: [] });
  });

  test('leaves them if the API server does not confirm that they may be deleted', () => {
    expect(whenNotDeleted.hasOldFiles).toBe(true);
  });

  test('does not start while they exist', () => {
    expect(whenNotDeleted.isStarted).toBe(false);
  });

  test('tells its Pod after some seconds what it waits for', () => {
    expect(whenNotDeleted.refusals).toEqual([
      expect.stringMatching(
        /^OverBudget: the capture starts when captures that are not needed any more are deleted/,
      ),
    ]);
  });

  test('starts when the API server confirms that they may be deleted', () => {
    expect(whenNotDeleted.hasOldFilesAtLast).toBe(false);
  });
});

/**
 * Annotates the Pod "web" while the files of an ended Pod take 9.9 of 10 MB. If it is not readable, the old Pod becomes
 * so once "web" has been told.
 */
async function captureBesideOld({ isReadable }: { readonly isReadable: boolean }) {
  await using scene = await agentScene({ settings: { diskBudgetMegabytes: 10 } });
  await mkdir(join(scene.captures, folderOfOld));
  await writeFile(join(scene.captures, folderOfOld, 'captres-old.1.pcap000000000'), Buffer.alloc(9_900_000));
  const { read } = scene.server.script;
  const gone = Array.from({ length: 1_000 }, () => refusal(404, 'NotFound'));
  const unreadable = Array.from({ length: 1_000 }, () => refusal(500, 'InternalError'));
  read.push(...(isReadable ? gone : unreadable));
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted)]));
  await using _agent = await scene.start();
  const started = () => scene.eventReasons().includes('CaptureStarted');
  const refusals = () => scene.events().filter((event) => event.startsWith('OverBudget'));
  await until(() => started() || refusals().length > 0, { what: 'an Event', deadlineMs: 20_000 });
  const observed = {
    hasOldFiles: (await readdir(scene.captures)).includes(folderOfOld),
    isStarted: started(),
    refusals: refusals(),
  };
  read.splice(0, read.length, ...gone);
  await until(started, { what: 'the capture', deadlineMs: 60_000 });
  return { ...observed, hasOldFilesAtLast: (await readdir(scene.captures)).includes(folderOfOld) };
}
