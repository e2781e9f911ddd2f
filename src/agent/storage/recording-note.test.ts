import { chown, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readScene } from '../../commands/testing/read-scene.ts';
import { tcpdumpGroup } from '../../testbed/temporary-folder.ts';
import { recordingNoteName } from './file-names.ts';
import { type RecordingNote, readRecordingNote, writeRecordingNote } from './recording-note.ts';

const note: RecordingNote = {
  labels: { app: 'web', constructor: 'x' },
  interfaces: ['eth0'],
  requested: { files: 5, fileMegabytes: 1, freezeOn: ['restart'] },
  phase: { phase: 'Paused', since: '2026-01-02T00:00:00.000Z' },
  startTime: '2026-01-01T00:00:00.000Z',
};

async function folderWithRecords() {
  const scene = await readScene();
  await scene.record({ generation: 1, interface: 'eth0', startTime: '2026-01-01T00:00:00.000Z' });
  await scene.record({ generation: 2, interface: 'lo', startTime: '2026-01-02T00:00:00.000Z' });
  return scene;
}
const fromRecords = { interfaces: ['eth0', 'lo'], startTime: '2026-01-01T00:00:00.000Z' };

test('a note is read as it was written', async () => {
  await using scene = await folderWithRecords();
  await writeRecordingNote(scene.pathOf(), note);
  expect(await readRecordingNote(scene.pathOf())).toEqual(note);
});

test('without one, the records tell when it began, and of which interfaces', async () => {
  await using scene = await folderWithRecords();
  expect(await readRecordingNote(scene.pathOf())).toEqual(fromRecords);
});

test.each([
  ['no JSON', 'x'],
  ['of another form', '{"interfaces":"eth0"}'],
  ['a phase that there is not', '{"interfaces":[],"phase":{"phase":"x","since":"2026-01-02T00:00:00Z"}}'],
  ['too large', JSON.stringify({ ...note, labels: { a: 'x'.repeat(70_000) } })],
])('%s is no note', async (_what, text) => {
  await using scene = await folderWithRecords();
  await writeFile(join(scene.pathOf(), recordingNoteName), text);
  expect(await readRecordingNote(scene.pathOf())).toEqual(fromRecords);
});

test.skipIf(process.geteuid?.() !== 0)("a note of tcpdump's user is none", async () => {
  await using scene = await folderWithRecords();
  const path = join(scene.pathOf(), recordingNoteName);
  await writeFile(path, JSON.stringify(note));
  await chown(path, tcpdumpGroup, tcpdumpGroup);
  expect(await readRecordingNote(scene.pathOf())).toEqual(fromRecords);
});

test('a link is not followed', async () => {
  await using scene = await folderWithRecords();
  const elsewhere = join(scene.path, 'elsewhere');
  await mkdir(elsewhere);
  await writeRecordingNote(elsewhere, note);
  await symlink(join(elsewhere, recordingNoteName), join(scene.pathOf(), recordingNoteName));
  expect(await readRecordingNote(scene.pathOf())).toEqual(fromRecords);
});
