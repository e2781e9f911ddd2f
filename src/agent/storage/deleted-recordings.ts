import { readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import type { Clock } from '../../base/clock.ts';
import { ifExists } from '../../base/fs-errors.ts';
import { podNamePatterns } from './file-names.ts';
import { replaceFile } from './replace-file.ts';

/** That nothing is left of a recording. */
export type DeletedRecording = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** RFC 3339, for hubs. */
  readonly deletedAt: string;
  /** In milliseconds of the clock of this boot. */
  readonly atMs: number;
};

/** The deletions that an agent remembers, on disk: the next one tells hubs of them, too. */
export type DeletedRecordings = {
  /** What an earlier agent wrote, oldest first; empty if there is none, or if what is there is none. Throws what read(2) says. */
  readonly read: () => Promise<readonly DeletedRecording[]>;
  /** Replaces it; without any, no file is left. */
  readonly write: (deleted: readonly DeletedRecording[]) => Promise<void>;
};

/** Hidden, so that `ls /captures` shows nothing while nothing is captured. */
export const deletedRecordingsFile = '.deleted-recordings.json';

/** An entry has at most 500 bytes. */
const mostBytes = 4_000_000;

/** The file in the folder of captures. Those of an earlier boot count as if they were of now: how long ago they were is unknown. */
export function deletedRecordings(capturesFolder: string, clock: Clock): DeletedRecordings {
  const path = join(capturesFolder, deletedRecordingsFile);
  return {
    async read() {
      const size = (await ifExists(stat(path)))?.size ?? 0;
      const text = size <= mostBytes ? await ifExists(readFile(path, 'utf8')) : undefined;
      const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), fileSchema), text);
      if (!parsed.success) return [];
      const { bootId, deleted } = parsed.output;
      const nowMs = clock.nowMs();
      return deleted.map((each) => ({
        ...each,
        atMs: bootId === clock.bootId ? Math.min(each.atMs, nowMs) : nowMs,
      }));
    },
    async write(deleted) {
      if (deleted.length === 0) await ifExists(unlink(path));
      else await replaceFile(path, `${JSON.stringify({ bootId: clock.bootId, deleted })}\n`);
    },
  };
}

const fileSchema = v.object({
  bootId: v.string(),
  deleted: v.array(
    v.object({
      namespace: v.pipe(v.string(), v.regex(podNamePatterns.namespace)),
      name: v.pipe(v.string(), v.regex(podNamePatterns.pod)),
      uid: v.pipe(v.string(), v.regex(podNamePatterns.uid)),
      deletedAt: v.pipe(v.string(), v.isoTimestamp()),
      atMs: v.pipe(v.number(), v.finite()),
    }),
  ),
});
