import type { Log } from '../../kubernetes/logger.ts';
import type { DeletedRecording, DeletedRecordings } from '../storage/deleted-recordings.ts';
import type { ReportLines } from './report-lines.ts';

/** The deletions that hubs are told of, which outlive this agent. */
export type KeptDeletions = {
  /** Adds those that an earlier agent has left, the first time. Never rejects. */
  readonly load: () => Promise<void>;
  /** Writes them if another one was deleted or has come again, and once all are forgotten. Never rejects. */
  readonly keep: () => Promise<void>;
};

/** Starts without having read anything. */
export function keptDeletions(
  lines: Pick<ReportLines, 'deleted' | 'remember'>,
  deletions: DeletedRecordings,
  log: Log,
): KeptDeletions {
  let isLoaded = false;
  let hasFailed = false;
  /** What is in the file, by UID; those that are forgotten may stay in it as long as others do. */
  let written: ReadonlyMap<string, number> = new Map();

  function hasChanged(deleted: readonly DeletedRecording[]): boolean {
    if (deleted.length === 0) return written.size > 0;
    return deleted.some(({ uid, atMs }) => written.get(uid) !== atMs);
  }

  return {
    async load() {
      if (isLoaded) return;
      isLoaded = true;
      try {
        const before = await deletions.read();
        lines.remember(before);
        written = timesOf(before);
      } catch (error) {
        log.warn({ err: error }, 'failed to read the deletions of an earlier agent');
      }
    },
    async keep() {
      const deleted = lines.deleted();
      if (!hasChanged(deleted)) return;
      try {
        await deletions.write(deleted);
        written = timesOf(deleted);
        hasFailed = false;
      } catch (error) {
        if (!hasFailed) log.warn({ err: error }, 'failed to write which recordings were deleted');
        hasFailed = true;
      }
    },
  };
}

function timesOf(deleted: readonly DeletedRecording[]): ReadonlyMap<string, number> {
  return new Map(deleted.map(({ uid, atMs }) => [uid, atMs]));
}
