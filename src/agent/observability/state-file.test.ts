import { randomUUID } from 'node:crypto';
import { chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import type { PodState } from './capture-states.ts';
import { openStateFile, readStates, stateFilePath } from './state-file.ts';

const log = pino({ level: 'silent' });
const waiting = stateOf({ uid: 'uid-1', state: 'waiting', reason: 'WaitingForNetwork' });
const refused = stateOf({
  uid: 'uid-1',
  pod: { namespace: 'default', name: 'web' },
  state: 'refused',
  reason: 'HostNetwork',
  message: 'because',
});

test('another process reads what the agent says, and each change', async () => {
  const capturesFolder = `/captures-${randomUUID()}`;
  let states = [waiting];
  const file = await openStateFile({ capturesFolder, states: () => states, log });
  expect([...((await readStates(capturesFolder)) ?? [])]).toEqual([['uid-1', waiting]]);
  states = [refused];
  file.changed();
  await until(async () => (await readStates(capturesFolder))?.get('uid-1')?.state === 'refused', {
    what: 'the change',
  });
  expect((await readStates(capturesFolder))?.get('uid-1')).toEqual(refused);
  await file[Symbol.asyncDispose]();
  expect(await readStates(capturesFolder)).toBeUndefined();
});

test.each([
  ['the pid of no process', (text: string) => text.replace(/"pid":[0-9]+/, '"pid":4194304')],
  ['the pid of a later process', (text: string) => text.replace(/"startTime":"[0-9]+"/, '"startTime":"1"')],
  ['half of it', (text: string) => text.slice(0, text.length / 2)],
])('what an agent left that was killed says nothing: %s', async (_what, change) => {
  const capturesFolder = `/captures-${randomUUID()}`;
  await using _file = await openStateFile({ capturesFolder, states: () => [waiting], log });
  const path = stateFilePath(capturesFolder);
  await writeFile(path, change(await readFile(path, 'utf8')));
  expect(await readStates(capturesFolder)).toBeUndefined();
});

test('no other user can write where the agent does', async () => {
  const capturesFolder = `/captures-${randomUUID()}`;
  await using _file = await openStateFile({ capturesFolder, states: () => [waiting], log });
  expect((await stat(dirname(stateFilePath(capturesFolder)))).mode & 0o777).toBe(0o700);
});

test.runIf(process.getuid?.() === 0)("says nothing if tcpdump's user has taken the name", async () => {
  const capturesFolder = `/captures-${randomUUID()}`;
  const folder = dirname(stateFilePath(capturesFolder));
  await mkdir(folder);
  await chown(folder, 10_001, 10_001);
  await using _file = await openStateFile({ capturesFolder, states: () => [waiting], log });
  expect(await readdir(folder)).toEqual([]);
  await writeFile(stateFilePath(capturesFolder), '{}');
  expect(await readStates(capturesFolder)).toBeUndefined();
});

function stateOf(known: Pick<PodState, 'uid' | 'state'> & Partial<PodState>): PodState {
  return { pod: undefined, reason: undefined, message: undefined, ...known };
}
