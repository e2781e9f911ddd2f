import type { Log } from '../../kubernetes/logger.ts';
import type { CaptureFolders } from '../storage/capture-folders.ts';
import type { RecordingNote } from '../storage/recording-note.ts';
import type { DescribedRecording } from './describe-recordings.ts';

/** The notes of all recordings by UID, of which those with a folder are on disk. */
export type KeptNotes = {
  readonly all: ReadonlyMap<string, RecordingNote>;
  /** Reads those in folders that have not been read yet. Never rejects. */
  readonly load: () => Promise<void>;
  /**
   * Whether it is known what note there is in the folder. Otherwise nothing may be said of the recording: if it seemed to
   * begin now, it could be of an earlier namespace of that name.
   */
  readonly isRead: (uid: string) => boolean;
  /** Writes those that have changed, and forgets those that have nothing left. Never rejects. */
  readonly keep: (described: ReadonlyMap<string, DescribedRecording>) => Promise<void>;
};

export type NoteFolders = Pick<CaptureFolders, 'states' | 'readNote' | 'writeNote'>;

/** Starts without having read anything. */
export function keptNotes(folders: NoteFolders, log: Log): KeptNotes {
  const all = new Map<string, RecordingNote>();
  const loaded = new Set<string>();
  const unread = new Set<string>();
  /** By UID, the note that is in its folder. */
  const written = new Map<string, string>();
  let hasFailed = false;

  async function read(uid: string): Promise<boolean> {
    try {
      const note = await folders.readNote(uid);
      if (note) all.set(uid, note);
      return true;
    } catch (error) {
      if (!unread.has(uid)) log.warn({ uid, err: error }, 'failed to read the note of a recording');
      return false;
    }
  }

  async function load(): Promise<void> {
    const uids = new Set(folders.states().keys());
    for (const uid of unread) if (!uids.has(uid)) unread.delete(uid);
    for (const uid of uids) {
      // What this agent knows is newer.
      if (loaded.has(uid) || all.has(uid) || (await read(uid))) {
        loaded.add(uid);
        unread.delete(uid);
      } else unread.add(uid);
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

  return { all, load, keep, isRead: (uid) => loaded.has(uid) || all.has(uid) };
}
