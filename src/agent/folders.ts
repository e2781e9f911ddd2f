import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rmdir,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import * as v from 'valibot';
import type { Pod } from '../kubernetes/pod.ts';
import { hasCode, ifThere } from './missing.ts';
import {
  folderName,
  parseFolderName,
  parseRecordName,
  parseRingFile,
  recordName,
  ringFileBase,
} from './names.ts';

/** The folders of captures on this Node, one per Pod UID. */
export type Folders = {
  /** The UIDs that have a folder now. */
  readonly uids: () => ReadonlySet<string>;
  /** The Pod's folder, made if it is not there, so that tcpdump's group can write into it. */
  readonly open: (pod: Pick<Pod, 'namespace' | 'name' | 'uid'>) => Promise<CaptureFolder>;
  /** Deletes what the agent wrote for that UID; a file that it did not write stays, and the folder with it. */
  readonly remove: (uid: string) => Promise<void>;
};

export type CaptureFolder = {
  readonly path: string;
  /** Takes the next generation, for one start of tcpdump, and writes capture.<generation>.json. */
  readonly begin: (begin: CaptureBegin) => Promise<Generation>;
};

/** One start of tcpdump. */
export type Generation = {
  readonly number: number;
  /** Path of the capture files without their index. */
  readonly file: string;
  /** Writes what is known since, beside what was known at the beginning. */
  readonly note: (known: Partial<CaptureRecord>) => Promise<void>;
};

export type CaptureBegin = Pick<CaptureRecord, 'interface' | 'sandboxId' | 'agent'>;

const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** capture.<generation>.json; each is written only by the agent that started that tcpdump. Times are RFC 3339. */
export const captureRecordSchema = v.object({
  version: v.literal(1),
  namespace: v.string(),
  pod: v.string(),
  uid: v.string(),
  generation: count,
  /** Which agent wrote it: the name of its Pod. */
  agent: v.string(),
  interface: v.string(),
  sandboxId: v.string(),
  begin: v.string(),
  /** Packets that the interface had carried before tcpdump listened. */
  missedBefore: v.optional(count),
  end: v.optional(v.string()),
  /** Why it ended, in tcpdump's or the agent's words. */
  endMessage: v.optional(v.string()),
  statistics: v.optional(v.object({ captured: count, received: count, dropped: count })),
});
export type CaptureRecord = v.InferOutput<typeof captureRecordSchema>;

export type FoldersOptions = {
  /** /captures in the agent's container. */
  readonly root: string;
  /** The group that tcpdump writes with. */
  readonly groupId: number;
  readonly log: Logger;
};

/** Reads which folders an earlier agent left. */
export async function openFolders(options: FoldersOptions): Promise<Folders> {
  const { root, groupId } = options;
  await shareWithGroup(root, groupId, 0o750);
  const paths = await existingFolders(root);

  return {
    uids: () => new Set(paths.keys()),
    async open(pod) {
      const path = paths.get(pod.uid) ?? join(root, folderName({ ...pod, pod: pod.name }));
      await makeIfMissing(path);
      await shareWithGroup(path, groupId, 0o770);
      paths.set(pod.uid, path);
      return captureFolder(path, pod);
    },
    async remove(uid) {
      const path = paths.get(uid);
      if (path === undefined) return;
      await removeOwnFiles(path, options.log);
      paths.delete(uid);
    },
  };
}

function captureFolder(path: string, pod: Pick<Pod, 'namespace' | 'name' | 'uid'>): CaptureFolder {
  async function begin(known: CaptureBegin): Promise<Generation> {
    const first = { version: 1, namespace: pod.namespace, pod: pod.name, uid: pod.uid } as const;
    let number = (await lastGeneration(path)) + 1;
    for (;;) {
      let record: CaptureRecord = { ...first, generation: number, begin: new Date().toISOString(), ...known };
      const recordPath = join(path, recordName(number));
      if (await createExclusively(recordPath, record)) {
        const note = async (more: Partial<CaptureRecord>) => {
          record = { ...record, ...more };
          await replace(recordPath, record);
        };
        return { number, file: join(path, ringFileBase(pod.name, number)), note };
      }
      // Another agent took it, during a rolling update.
      number += 1;
    }
  }
  return { path, begin };
}

/** The record of one generation, or undefined when it is not there or not readable as one. */
export async function readRecord(folder: string, generation: number): Promise<CaptureRecord | undefined> {
  const text = await ifThere(readFile(join(folder, recordName(generation)), 'utf8'));
  if (text === undefined) return undefined;
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), captureRecordSchema), text);
  return parsed.success ? parsed.output : undefined;
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
  const { uid, gid } = await lstat(path);
  if (gid !== groupId) await chown(path, uid, groupId);
  await chmod(path, mode);
}

/** Files count too: a record can be lost, and no file is ever written twice. */
async function lastGeneration(path: string): Promise<number> {
  const generations = (await readdir(path)).map(
    (name) => parseRecordName(name) ?? parseRingFile(name)?.generation ?? 0,
  );
  return Math.max(0, ...generations);
}

async function createExclusively(path: string, record: CaptureRecord): Promise<boolean> {
  try {
    await writeFile(path, serialize(record), { flag: 'wx' });
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** By rename, so that a reader never sees half of it. */
async function replace(path: string, record: CaptureRecord): Promise<void> {
  await writeFile(`${path}.new`, serialize(record));
  await rename(`${path}.new`, path);
}

function serialize(record: CaptureRecord): string {
  return `${JSON.stringify(record, undefined, 2)}\n`;
}

async function removeOwnFiles(path: string, log: Logger): Promise<void> {
  for (const name of (await ifThere(readdir(path))) ?? []) {
    const own =
      parseRingFile(name) !== undefined || parseRecordName(name.replace(/\.new$/, '')) !== undefined;
    if (own) await ifThere(unlink(join(path, name)));
  }
  try {
    await ifThere(rmdir(path));
  } catch (error) {
    if (!hasCode(error, 'ENOTEMPTY')) throw error;
    log.warn({ folder: path }, 'folder not removed: it has files that are not captures');
  }
}
