import { beforeAll, expect, test } from 'vitest';
import { built } from '../../../tools/go-program.ts';
import { cliProgram } from '../testing/hub-scene.ts';
import { terminalShell } from '../testing/terminal-shell.ts';
import { podScene } from './testing/pod-scene.ts';
import { recording } from './testing/request-objects.ts';

// The first run builds kubectl, which takes minutes.
beforeAll(() => built('kubectl'), 1_200_000);

const podcap = cliProgram.join(' ');
const interrupt = '\u0003';

test.each([
  ['y\r', 0, 1],
  ['n\r', 1, 0],
  ['\u0004', 1, 0],
  [interrupt, 130, 0],
])('discard asks on a terminal: %j', async (keys, code, changes) => {
  await using scene = await podScene({ before: recording(), answer: () => 'deleted' });
  await using shell = terminalShell('bash --norc', scene.env);
  shell.type(`${podcap} discard web; echo "ended with $?"\n`);
  await shell.shows('Delete it? [y/N]');
  shell.type(keys);
  await shell.shows(`ended with ${code}`);
  expect(scene.writes()).toHaveLength(changes);
});

test('discard deletes nothing when nobody is at a terminal', async () => {
  await using scene = await podScene({ before: recording(), answer: () => 'deleted' });
  await using shell = terminalShell('bash --norc', scene.env);
  shell.type(`yes | ${podcap} discard web; echo "ended with \${PIPESTATUS[1]}"\n`);
  expect(await shell.shows('ended with 2')).toContain('add --yes');
  expect(scene.writes()).toEqual([]);
});

test('start shows that it waits, and the request stays when it is interrupted', async () => {
  await using scene = await podScene({ answer: () => undefined });
  await using shell = terminalShell('bash --norc', scene.env);
  shell.type(`${podcap} start web; echo "ended with $?"\n`);
  await shell.shows('waiting for the agents of 1 Pod (0 s)');
  shell.type(interrupt);
  const shown = await shell.shows('ended with 130');
  expect(shown).toContain('web: no answer yet from Node node1; the request stays');
  expect(scene.writes()).toHaveLength(1);
});
