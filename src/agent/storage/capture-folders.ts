import { chmod, chown, lstat, mkdir, readdir, rmdir, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Logger } from 'pino';
import type { Clock } from '../../base/clock.ts';
import { coalesced } from '../../base/coalesced.ts';
import { hasCode, ifExists } from '../../base/fs-errors.ts';
import { semaphore } from '../../base/semaphore.ts';
import { serialQueue } from '../../base/serial-queue.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import {
  awaitsRecount,
  readRecord,
  readRecords,
  replaceRecord,
  type Totals,
  totalsOf,
} from './capture-records.ts';
import { type DeadCaptures, deadCaptures } from './dead-captures.ts';
import {
  folderName,
  freezeLogName,
  parseFolderName,
  parseRecordName,
  parseRingFile,
  podEndName,
  recordingNoteName,
  requesterName,
} from './file-names.ts';
import { type FreezeState, type Freezes, openFreezes, readFreezes, ringInFreezing } from './freezes.ts';
import { removeFrozenFolders } from './frozen-rings.ts';
import { type CaptureFolder, captureFolder } from './generations.ts';
import { oldestPacketUs } from './oldest-packet.ts';
import { packetsIn } from './packets-in.ts';
import { readPodEnd, removePodEnd, writePodEnd } from './pod-end.ts';
import { type RecordWriter, recordWriter } from './record-writer.ts';
import { type RecordingNote, readRecordingNote, writeRecordingNote } from './recording-note.ts';
import { replacedName } from './replace-file.ts';
import { type Requester, readRequester, writeRequester } from './requester.ts';
import { listRingFiles } from './ring-files.ts';
import { watchDeletedFolders } from './watch-deleted-folders.ts';

/** The folders of captures on this Node, one per Pod UID. */
export type CaptureFolders = {
  /** Each UID's folder as it was when it was last measured. */
  readonly states: () => ReadonlyMap<string, FolderState>;
  /** The path of the folder of that UID; undefined if there is none. */
  readonly pathOf: (uid: string) => string | undefined;
  /** Opens the Pod's folder, and makes it if it does not exist: tcpdump's group can write into it. */
  readonly open: (pod: PodName) => Promise<CaptureFolder>;
  /** Measures one folder again: how much it has, and how long was captured. */
  readonly measure: (uid: string) => Promise<void>;
  readonly measureAll: () => Promise<void>;
  /** What all captures of that UID have counted, as last recorded; undefined if nothing is left of it. */
  readonly totals: (uid: string) => Promise<Totals | undefined>;
  /**
   * The Pod has ended: its retention time starts, and continues if the agent restarts. Returns false if it had started
   * before. Measures the folder too, because nothing is written into it any more.
   */
  readonly markEnded: (uid: string) => Promise<boolean>;
  /** Forgets that the Pod has ended: it is still there. */
  readonly unmarkEnded: (uid: string) => Promise<void>;
  readonly freezes: Freezes;
  /** Deletes what the agent wrote for that UID; a file that it did not write stays, and so does the folder then. */
  readonly remove: (uid: string) => Promise<void>;
  /**
   * These ask for captures now, by UID. Of what nobody asks for any more, the last one counts. Holds at once, and is
   * written into the folder, which may not exist yet; what a full disk does not take is written later.
   */
  readonly noteRequesters: (requesters: ReadonlyMap<string, Requester>) => void;
  /** What is known of the recording of that UID from before; undefined if it has no folder. */
  readonly readNote: (uid: string) => Promise<RecordingNote | undefined>;
  /** Writes it into the folder. Returns false if there is none. Throws what a full disk says. */
  readonly writeNote: (uid: string, note: RecordingNote) => Promise<boolean>;
  /** Deletes the ring of that UID, and not its frozen rings. Returns whether nothing is left of it. */
  readonly removeRing: (uid: string) => Promise<boolean>;
};

export type PodName = Pick<Pod, 'namespace' | 'name' | 'uid'>;

export type FolderState = {
  /** The name may be cut if no record of the folder can be read. */
  readonly pod: PodName;
  /** How many capture files it has, and their total size, with those of frozen rings. */
  readonly files: number;
  readonly bytes: number;
  /** How much of that is in frozen rings. */
  readonly frozenBytes: number;
  /** The size of the largest one that is in no frozen ring. */
  readonly largestBytes: number;
  /** How long was captured so far, in milliseconds. */
  readonly capturedMs: number;
  /** When the Pod ended, by the clock of this boot; undefined while it may be running. */
  readonly endedMs: number | undefined;
  /** The CapturePolicy that asked for it last; undefined: the Pod's annotation did. */
  readonly policy?: string | undefined;
  /** The time of its oldest packet, in milliseconds of Unix time; undefined if there is none, or if it is not read. */
  readonly oldestPacketMs?: number | undefined;
  readonly freezes: FreezeState;
};

export type CaptureFoldersOptions = {
  /** /captures in the agent's container. */
  readonly root: string;
  /** The group that tcpdump writes with. */
  readonly groupId: number;
  /** Whether the time of each folder's oldest packet is read when the folder is measured. */
  readonly readsPacketTimes?: boolean;
  /** The name of the agent's own Pod. */
  readonly agent?: string;
  /** How many frozen rings are kept of one Pod. */
  readonly mostFrozenRings?: number;
  readonly clock: Clock;
  readonly log: Logger;
};

const defaultMostFrozenRings = 3;
/** Each takes half a megabyte of memory. */
const deadCountedAtOnce = 2;

/** Finds and measures the folders that an earlier agent left. Throws when the root cannot be read or shared. */
export async function openCaptureFolders(options: CaptureFoldersOptions): Promise<CaptureFolders> {
  const { root, groupId, clock, log, agent = '' } = options;
  await shareWithGroup(root, groupId, 0o750);
  const measured = measuredFolders(await existingFolders(root), options);
  await measured.measureAll();
  const compareQueue = serialQueue();
  /** Of what is written about a folder by UID, so that nothing is written into one that is being removed. */
  const noteQueue = serialQueue();
  const removing = new Set<string>();
  /** By the paths of the folders: what a full disk did not take is written later, whoever captures then. */
  const writers = new Map<string, RecordWriter>();
  const deadIn = new Map<string, DeadCaptures>();
  const counting = semaphore(deadCountedAtOnce);
  const never = new AbortController().signal;

  function writerOf(path: string): RecordWriter {
    const writer = writers.get(path) ?? recordWriter(path);
    writers.set(path, writer);
    return writer;
  }

  function deadCapturesOf(uid: string, path: string): DeadCaptures {
    const known = deadIn.get(path);
    if (known) return known;
    const dead = deadCaptures({
      path,
      agent,
      clock,
      writer: writerOf(path),
      withinBounds: (work) => counting(work, never),
      unlessRemoved: (work) =>
        noteQueue(async () => {
          if (!removing.has(uid)) await ifExists(work());
        }),
      log,
    });
    deadIn.set(path, dead);
    return dead;
  }

  /** Reads what the captures of dead agents have left. It can be much: nothing waits for it. */
  const countingDead = coalesced(
    async () => {
      for (const [uid, { path, generations }] of measured.awaitingRecount())
        await deadCapturesOf(uid, path).countAmong(generations);
    },
    (error) => log.warn({ err: error }, 'failed to count dead captures'),
  );

  async function retryWriting(): Promise<void> {
    for (const [folder, writer] of writers)
      await ifExists(writer.retry()).catch((error: unknown) =>
        log.warn({ folder, err: error }, 'failed to write the record of a capture again'),
      );
    for (const [uid, endedMs] of measured.unwrittenEnds()) await writeEnd(uid, endedMs).catch(() => {});
    for (const uid of measured.unwrittenRequesters()) await writeRequesterOf(uid);
  }

  async function writeEnd(uid: string, endedMs: number): Promise<void> {
    const path = measured.pathOf(uid);
    if (path !== undefined) await ifExists(writePodEnd(path, clock, endedMs));
    measured.endWritten(uid);
  }

  /** Never rejects. */
  const writeRequesterOf = (uid: string) =>
    noteQueue(async () => {
      const [path, requester] = [measured.pathOf(uid), measured.unwrittenRequester(uid)];
      if (path === undefined || !requester || removing.has(uid)) return;
      try {
        await ifExists(writeRequester(path, requester));
        measured.requesterWritten(uid, requester);
      } catch (error) {
        log.warn({ folder: path, err: error }, 'failed to write who asks for the captures');
      }
    });

  const deletedFolders = watchDeletedFolders(root, {
    onError: (error) => log.warn({ folder: root, err: error }, 'failed to read the folder of captures'),
  });

  const freezes = openFreezes({
    pathOf: measured.pathOf,
    stateOf: (uid) => measured.states().get(uid)?.freezes,
    changed: (uid, state) => measured.freezesChanged(uid, state),
    agent,
    mostRings: options.mostFrozenRings ?? defaultMostFrozenRings,
    async countDead(uid, generation) {
      const path = measured.pathOf(uid);
      if (path !== undefined) await deadCapturesOf(uid, path).count(generation);
    },
    clock,
  });

  countingDead.run();
  return {
    freezes,
    states: measured.states,
    pathOf: measured.pathOf,
    measure: measured.measure,
    async measureAll() {
      await retryWriting();
      await measured.measureAll();
      countingDead.run();
    },
    async totals(uid) {
      const path = measured.pathOf(uid);
      const records = path === undefined ? undefined : await ifExists(readRecords(path));
      return records && totalsOf(records);
    },
    async open(pod) {
      const path = measured.pathOf(pod.uid) ?? join(root, folderName({ ...pod, pod: pod.name }));
      const makeFolder = async () => {
        await makeIfMissing(path);
        await shareWithGroup(path, groupId, 0o1770);
      };
      await makeFolder();
      await removePodEnd(path);
      await measured.add(pod.uid, path);
      await writeRequesterOf(pod.uid);
      const onDeleted = (callback: () => void) => deletedFolders.watch(basename(path), callback);
      /** Files of the ring that is being frozen are no part of the ring any more. */
      const frozenUpTo = async () => ringInFreezing(await readFreezes(path))?.record.upTo ?? 0;
      const [writer, dead] = [writerOf(path), deadCapturesOf(pod.uid, path)];
      return captureFolder({
        path,
        pod,
        clock,
        compareQueue,
        writer,
        dead,
        makeFolder,
        onDeleted,
        frozenUpTo,
      });
    },
    async markEnded(uid) {
      const path = measured.pathOf(uid);
      const endedMs = clock.nowMs();
      if (path === undefined || !measured.markEnded(uid, endedMs)) return false;
      await writeEnd(uid, endedMs);
      await measured.measure(uid);
      return true;
    },
    async unmarkEnded(uid) {
      const path = measured.pathOf(uid);
      if (path === undefined) return;
      await removePodEnd(path);
      await measured.add(uid, path);
    },
    noteRequesters(requesters) {
      for (const uid of measured.noteRequesters(requesters)) void writeRequesterOf(uid);
    },
    async removeRing(uid) {
      const path = measured.pathOf(uid);
      if (path === undefined) return true;
      const generations = new Set((await ifExists(listRingFiles(path)))?.map((file) => file.generation));
      await deadCapturesOf(uid, path).countAmong(generations);
      await removeRingFiles(path);
      await measured.measure(uid);
      const { bytes, frozenBytes } = measured.states().get(uid) ?? { bytes: 0, frozenBytes: 0 };
      return bytes === frozenBytes;
    },
    async readNote(uid) {
      const path = measured.pathOf(uid);
      return path === undefined ? undefined : await ifExists(readRecordingNote(path));
    },
    writeNote: (uid, note) =>
      noteQueue(async () => {
        const path = measured.pathOf(uid);
        if (path === undefined || removing.has(uid)) return false;
        return (await ifExists(writeRecordingNote(path, note).then(() => true))) ?? false;
      }),
    async remove(uid) {
      const path = measured.pathOf(uid);
      if (path === undefined) return;
      removing.add(uid);
      try {
        // What is being written by now is removed, too.
        await noteQueue(async () => {});
        await removeOwnFiles(path, log);
        measured.forget(uid);
        writers.delete(path);
        deadIn.delete(path);
      } finally {
        removing.delete(uid);
      }
    },
  };
}

/** Where each UID's folder is, and what it was like when it was last measured. */
function measuredFolders(paths: Map<string, string>, options: CaptureFoldersOptions) {
  const { log } = options;
  const states = new Map<string, FolderState>();
  /** Generations whose agents may be dead. */
  const awaiting = new Map<string, readonly number[]>();
  /** Kept here too, for a disk that cannot be written. */
  const endedMsOf = new Map<string, number>();
  const unwrittenEnds = new Set<string>();
  /** Also of Pods that have no folder yet. */
  const requesters = new Map<string, Requester>();
  const unwrittenRequesters = new Set<string>();

  async function measure(uid: string): Promise<void> {
    const path = paths.get(uid);
    const before = states.get(uid)?.freezes;
    const read = path && (await ifExists(readState(path, options)));
    const state = read ? read.state : undefined;
    awaiting.delete(uid);
    // It may have been removed meanwhile.
    if (state && paths.get(uid) === path) {
      const now = states.get(uid)?.freezes;
      const endedMs = state.endedMs ?? endedMsOf.get(uid);
      // What has been frozen while the folder was read is not known from that.
      states.set(uid, { ...state, endedMs, freezes: now && now !== before ? now : state.freezes });
      if (read && read.awaitRecount.length > 0) awaiting.set(uid, read.awaitRecount);
      compareRequester(uid, state);
    } else states.delete(uid);
  }

  /** What is known here is newer than what is in the folder. */
  function compareRequester(uid: string, { policy }: FolderState): void {
    const known = requesters.get(uid);
    if (!known || known.policy === policy) {
      unwrittenRequesters.delete(uid);
      return;
    }
    unwrittenRequesters.add(uid);
    setPolicy(uid, known);
  }

  function setPolicy(uid: string, { policy }: Requester): void {
    const state = states.get(uid);
    if (state) states.set(uid, { ...state, policy });
  }

  /** A folder that cannot be read keeps its last state, and does not stop the others from being measured. */
  async function measureAll(): Promise<void> {
    for (const [uid, folder] of paths) {
      await measure(uid).catch((error: unknown) =>
        log.warn({ uid, folder, err: error }, 'failed to measure the captures of a Pod'),
      );
    }
  }

  return {
    states: () => states,
    pathOf: (uid: string) => paths.get(uid),
    awaitingRecount: () =>
      [...awaiting].flatMap(([uid, generations]) => {
        const path = paths.get(uid);
        return path === undefined ? [] : [[uid, { path, generations }] as const];
      }),
    measure,
    measureAll,
    /** The Pod is running, even if an outdated list left it out before. */
    async add(uid: string, path: string): Promise<void> {
      paths.set(uid, path);
      endedMsOf.delete(uid);
      unwrittenEnds.delete(uid);
      await measure(uid);
    },
    /** False if there is no such folder, or if it was marked before. */
    markEnded(uid: string, endedMs: number): boolean {
      const state = states.get(uid);
      if (!state || state.endedMs !== undefined) return false;
      endedMsOf.set(uid, endedMs);
      unwrittenEnds.add(uid);
      states.set(uid, { ...state, endedMs });
      return true;
    },
    /** The ends that are not in their folders yet. */
    unwrittenEnds: () => [...endedMsOf].filter(([uid]) => unwrittenEnds.has(uid)),
    endWritten: (uid: string) => void unwrittenEnds.delete(uid),
    /** Returns those whose folder says something else. */
    noteRequesters(now: ReadonlyMap<string, Requester>): readonly string[] {
      for (const uid of requesters.keys()) if (!now.has(uid) && !paths.has(uid)) requesters.delete(uid);
      return [...now].flatMap(([uid, requester]) => {
        requesters.set(uid, requester);
        const state = states.get(uid);
        if (!state || state.policy === requester.policy) return [];
        unwrittenRequesters.add(uid);
        setPolicy(uid, requester);
        return [uid];
      });
    },
    unwrittenRequester: (uid: string) => (unwrittenRequesters.has(uid) ? requesters.get(uid) : undefined),
    unwrittenRequesters: () => [...unwrittenRequesters],
    requesterWritten(uid: string, written: Requester): void {
      if (requesters.get(uid)?.policy === written.policy) unwrittenRequesters.delete(uid);
    },
    freezesChanged(uid: string, freezes: FreezeState): void {
      const state = states.get(uid);
      if (!state) return;
      const frozenBytes = freezes.rings.reduce((sum, ring) => sum + ring.bytes, 0);
      // What was moved is no part of the ring any more.
      states.set(uid, { ...state, frozenBytes, bytes: Math.max(state.bytes, frozenBytes), freezes });
    },
    forget(uid: string): void {
      unwrittenEnds.delete(uid);
      unwrittenRequesters.delete(uid);
      paths.delete(uid);
      endedMsOf.delete(uid);
      states.delete(uid);
    },
  };
}

type ReadFolder = {
  readonly state: FolderState;
  /** Generations that have no end, and may be dead. */
  readonly awaitRecount: readonly number[];
};

async function readState(
  path: string,
  { clock, readsPacketTimes }: CaptureFoldersOptions,
): Promise<ReadFolder> {
  const named = parseFolderName(basename(path)) ?? { namespace: '', pod: '', uid: '' };
  const [read, sizes, endedMs, freezes, { policy }] = await Promise.all([
    readRecords(path),
    ringSizes(path),
    readPodEnd(path, clock),
    readFreezes(path),
    readRequester(path),
  ]);
  const records = read.filter((record) => folderName(record) === folderName(named));
  const newest = records.at(-1);
  const { namespace, pod: name, uid } = newest ?? named;
  const { capturedMs } = totalsOf(records);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const frozenBytes = freezes.rings.reduce((sum, ring) => sum + ring.bytes, 0);
  const frozenFiles = freezes.rings.reduce((sum, ring) => sum + ring.files, 0);
  const oldestUs = readsPacketTimes ? await oldestPacketUs(path) : undefined;
  const state = {
    pod: { namespace, name, uid },
    files: sizes.length + frozenFiles,
    bytes: bytes + frozenBytes,
    frozenBytes,
    // tcpdump's user can make more files than a call can have arguments.
    largestBytes: sizes.reduce((largest, size) => Math.max(largest, size), 0),
    capturedMs,
    ...(policy !== undefined && { policy }),
    ...(oldestUs !== undefined && { oldestPacketMs: oldestUs / 1_000 }),
    endedMs,
    freezes,
  };
  return { state, awaitRecount: records.filter(awaitsRecount).map(({ generation }) => generation) };
}

async function ringSizes(path: string): Promise<number[]> {
  const files = await listRingFiles(path);
  return await Promise.all(
    files.map(async ({ name }) => (await ifExists(lstat(join(path, name))))?.size ?? 0),
  );
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
    // A link is not followed: it could lead out of the captures.
    if (!(await lstat(path)).isDirectory()) throw new Error(`${path} is not a folder`, { cause: error });
  }
}

/** The agent owns the folder and is a member of the group, so this needs no capability. */
async function shareWithGroup(path: string, groupId: number, mode: number): Promise<void> {
  const { uid, gid, mode: modeNow } = await lstat(path);
  if (gid !== groupId) await chown(path, uid, groupId);
  // On a read-only file system, an agent that has nothing to change starts, and reports what fails later.
  if ((modeNow & 0o7777) !== mode) await chmod(path, mode);
}

/** Nothing captures into it: the record of each capture counts what is deleted of it. */
async function removeRingFiles(path: string): Promise<void> {
  const packets = new Map<number, number>();
  for (const { name, generation } of (await ifExists(listRingFiles(path))) ?? []) {
    const count = await packetsIn(join(path, name)).catch(() => 0);
    const isDeleted = (await ifExists(unlink(join(path, name)).then(() => true))) === true;
    if (isDeleted) packets.set(generation, (packets.get(generation) ?? 0) + count);
  }
  for (const [generation, count] of packets) {
    const record = await readRecord(path, generation);
    if (!record) continue;
    const { totals } = record;
    await replaceRecord(path, { ...record, totals: { ...totals, pruned: totals.pruned + count } });
  }
}

async function removeOwnFiles(path: string, log: Logger): Promise<void> {
  for (const entry of (await ifExists(readdir(path, { withFileTypes: true }))) ?? []) {
    const { name } = entry;
    const replaced = replacedName(name);
    const isOwn =
      parseRingFile(name) !== undefined ||
      parseRecordName(replaced) !== undefined ||
      [podEndName, freezeLogName, requesterName, recordingNoteName].includes(replaced);
    if (isOwn && !entry.isDirectory()) await ifExists(unlink(join(path, name)));
  }
  await ifExists(removeFrozenFolders(path));
  try {
    await ifExists(rmdir(path));
  } catch (error) {
    if (!hasCode(error, 'ENOTEMPTY')) throw error;
    log.warn({ folder: path }, 'folder not deleted: it has files that are not captures');
  }
}
