import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { list, refusal } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { agentScene } from './testing/agent-scene.ts';

const wanted = { 'tcpdump.antrea.io': '5' };
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
