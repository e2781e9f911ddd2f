import type { Log } from '../../kubernetes/logger.ts';
import type { CaptureFolders } from '../storage/capture-folders.ts';
import type { RecordingNote } from '../storage/recording-note.ts';
import type { DescribedRecording } from './describe-recordings.ts';

/** The notes of all recordings by UID, of which those with a folder are on disk. */
export type KeptNotes = {
  readonly all: ReadonlyMap<string, RecordingNote>;
  /** Reads those in folders that have not been read yet. Never rejects. */
  readonly load: () => Promise<void>;
  /** Writes those that have changed, and forgets those of which nothing is left. Never rejects. */
  readonly keep: (described: ReadonlyMap<string, DescribedRecording>) => Promise<void>;
};

export type NoteFolders = Pick<CaptureFolders, 'states' | 'readNote' | 'writeNote'>;

/** Starts without having read anything. */
export function keptNotes(folders: NoteFolders, log: Log): KeptNotes {
  const all = new Map<string, RecordingNote>();
  const loaded = new Set<string>();
  /** By UID, the note that is in its folder. */
  const written = new Map<string, string>();
  let hasFailed = false;

  async function load(): Promise<void> {
    for (const uid of folders.states().keys()) {
      if (loaded.has(uid)) continue;
      loaded.add(uid);
      // What this agent knows is newer.
      if (all.has(uid)) continue;
      const note = await folders.readNote(uid).catch(() => undefined);
      if (note) all.set(uid, note);
    }
  }

  async function keep(described: ReadonlyMap<string, DescribedRecording>): Promise<void> {
    for (const uid of [...all.keys(), ...loaded]) {
      if (described.has(uid) || folders.states().has(uid)) continue;
      for (const each of [all, loaded, written]) each.delete(uid);
    }
    for (const [uid, { note }] of described) {
      all.set(uid, note);
      if (!folders.states().has(uid)) continue;
      const text = JSON.stringify(note);
      if (written.get(uid) === text) continue;
      try {
        if (await folders.writeNote(uid, note)) written.set(uid, text);
        hasFailed = false;
      } catch (error) {
        if (!hasFailed) log.warn({ uid, err: error }, 'failed to write the note of a recording');
        hasFailed = true;
      }
    }
  }

  return { all, load, keep };
}
