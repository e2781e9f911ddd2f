import { chmod, chown, lstat, mkdir, readdir, rmdir, stat, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Logger } from 'pino';
import type { Clock } from '../../base/clock.ts';
import { hasCode, ifExists } from '../../base/fs-errors.ts';
import { inTurn } from '../../base/serial-queue.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import { type CaptureFolder, captureFolder } from './capture-folder.ts';
import { type CaptureRecord, readRecords, replaceRecord, totalsOf } from './capture-records.ts';
import { watchDeletedFolders } from './deleted-folders.ts';
import { folderName, parseFolderName, parseRecordName, parseRingFile } from './file-names.ts';

/** The folders of captures on this Node, one per Pod UID. */
export type CaptureFolders = {
  /** What each UID's folder is like, as far as it was looked at. */
  readonly states: () => ReadonlyMap<string, FolderState>;
  /** The Pod's folder, made if it is not there, so that tcpdump's group can write into it. */
  readonly open: (pod: PodName) => Promise<CaptureFolder>;
  /** Looks at one again: how much there is and how long was captured. */
  readonly look: (uid: string) => Promise<void>;
  /** Looks at all. */
  readonly measure: () => Promise<void>;
  /**
   * The Pod has ended: its retention time begins, and goes on should the agent start again. False if it is known. The
   * folder is looked at: nothing is written into it any more.
   */
  readonly markEnded: (uid: string) => Promise<boolean>;
  /** Deletes what the agent wrote for that UID; a file that it did not write stays, and the folder with it. */
  readonly remove: (uid: string) => Promise<void>;
};

export type PodName = Pick<Pod, 'namespace' | 'name' | 'uid'>;

export type FolderState = {
  /** The name may be cut, if no record of the folder can be read. */
  readonly pod: PodName;
  /** How many capture files it has, and how large they are together. */
  readonly files: number;
  readonly bytes: number;
  /** How long was captured by now, in milliseconds. */
  readonly capturedMs: number;
  /** When the Pod ended, by the clock of this boot; undefined while it may live. */
  readonly endedMs: number | undefined;
};

export type CaptureFoldersOptions = {
  /** /captures in the agent's container. */
  readonly root: string;
  /** The group that tcpdump writes with. */
  readonly groupId: number;
  readonly clock: Clock;
  readonly log: Logger;
};

/** Reads what an earlier agent left. */
export async function openCaptureFolders(options: CaptureFoldersOptions): Promise<CaptureFolders> {
  const { root, groupId, clock, log } = options;
  await shareWithGroup(root, groupId, 0o750);
  const paths = await existingFolders(root);
  const states = new Map<string, FolderState>();
  const comparing = inTurn();
  const missing = watchDeletedFolders(root, {
    onError: (error) => log.warn({ folder: root, err: error }, 'folders of captures not readable'),
  });
  // A folder without a record has nowhere else to keep it.
  const ended = new Map<string, number>();

  async function look(uid: string): Promise<void> {
    const path = paths.get(uid);
    const state = path && (await ifExists(readState(path, clock)));
    // It may have been removed meanwhile.
    if (state && paths.get(uid) === path)
      states.set(uid, { ...state, endedMs: state.endedMs ?? ended.get(uid) });
    else states.delete(uid);
  }

  /** One that cannot be read stays as it was known: it does not keep the others from being looked at. */
  async function lookAtAll(): Promise<void> {
    for (const [uid, folder] of paths) {
      await look(uid).catch((error: unknown) =>
        log.warn({ folder, err: error }, 'folder of captures not readable'),
      );
    }
  }
  await lookAtAll();

  return {
    states: () => states,
    look,
    async open(pod) {
      const path = paths.get(pod.uid) ?? join(root, folderName({ ...pod, pod: pod.name }));
      const make = async () => {
        await makeIfMissing(path);
        await shareWithGroup(path, groupId, 0o770);
      };
      await make();
      paths.set(pod.uid, path);
      // It lives after all: a list from the past had left it out.
      ended.delete(pod.uid);
      await look(pod.uid);
      const onGone = (gone: () => void) => missing.watch(basename(path), gone);
      return captureFolder({ path, pod, clock, inTurn: comparing, make, onGone });
    },
    measure: lookAtAll,
    async markEnded(uid) {
      const state = states.get(uid);
      const path = paths.get(uid);
      if (!state || !path || state.endedMs !== undefined) return false;
      const endedMs = clock.nowMs();
      ended.set(uid, endedMs);
      states.set(uid, { ...state, endedMs });
      const newest = (await readRecords(path)).at(-1);
      if (newest) await replaceRecord(path, { ...newest, podEndedMs: endedMs });
      await look(uid);
      return true;
    },
    async remove(uid) {
      const path = paths.get(uid);
      if (path === undefined) return;
      await removeOwnFiles(path, log);
      paths.delete(uid);
      ended.delete(uid);
      states.delete(uid);
    },
  };
}

async function readState(path: string, clock: Clock): Promise<FolderState> {
  const named = parseFolderName(basename(path)) ?? { namespace: '', pod: '', uid: '' };
  const [read, sizes] = await Promise.all([readRecords(path), ringSizes(path)]);
  const records = read.filter((record) => folderName(record) === folderName(named));
  const newest = records.at(-1);
  const { namespace, pod: name, uid } = newest ?? named;
  const { capturedMs } = totalsOf(records);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return {
    pod: { namespace, name, uid },
    files: sizes.length,
    bytes,
    capturedMs,
    endedMs: newest && endOfPod(newest, clock),
  };
}

/** Of another boot only the fact counts: its Pods have ended with the machine, and grace begins when it is back. */
function endOfPod({ podEndedMs, clock: { bootId } }: CaptureRecord, clock: Clock): number | undefined {
  if (podEndedMs === undefined) return undefined;
  return bootId === clock.bootId ? podEndedMs : 0;
}

async function ringSizes(path: string): Promise<number[]> {
  const names = (await readdir(path)).filter((name) => parseRingFile(name));
  return await Promise.all(names.map(async (name) => (await ifExists(stat(join(path, name))))?.size ?? 0));
}

async function existingFolders(root: string): Promise<Map<string, string>> {
  const paths = new Map<string, string>();
  for (const entry of await readdir(root, { withFileTypes: true })) {
    const folder = entry.isDirectory() ? parseFolderName(entry.name) : undefined;
    if (folder) paths.set(folder.uid, join(root, entry.name));
  }
  return paths;
}

async function makeIfMissing(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    // Never through a link: it could lead out of the captures.
    if (!(await lstat(path)).isDirectory()) throw new Error(`${path} is not a folder`, { cause: error });
  }
}

/** The agent owns the folder and is a member of the group, so this needs no capability. */
async function shareWithGroup(path: string, groupId: number, mode: number): Promise<void> {
  const { uid, gid, mode: modeNow } = await lstat(path);
  if (gid !== groupId) await chown(path, uid, groupId);
  // On a read-only file system an agent that need not change anything starts, and says what fails.
  if ((modeNow & 0o7777) !== mode) await chmod(path, mode);
}

async function removeOwnFiles(path: string, log: Logger): Promise<void> {
  for (const name of (await ifExists(readdir(path))) ?? []) {
    const own =
      parseRingFile(name) !== undefined || parseRecordName(name.replace(/\.new$/, '')) !== undefined;
    if (own) await ifExists(unlink(join(path, name)));
  }
  try {
    await ifExists(rmdir(path));
  } catch (error) {
    if (!hasCode(error, 'ENOTEMPTY')) throw error;
    log.warn({ folder: path }, 'folder not removed: it has files that are not captures');
  }
}
