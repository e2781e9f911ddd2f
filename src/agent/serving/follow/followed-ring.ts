import type { Clock } from '../../../base/clock.ts';
import { ifExists } from '../../../base/fs-errors.ts';
import { onAbort } from '../../../base/on-abort.ts';
import { every } from '../../../base/timers.ts';
import { type Wakeup, wakeup } from '../../../base/wakeup.ts';
import type { PcapFile } from '../../../pcap/pcap-file.ts';
import { type CaptureRecord, isOver, readRecord, startedGenerations } from '../../storage/capture-records.ts';
import { withoutFolder } from '../note-text.ts';
import { addFiles, type FollowedTails } from './added-files.ts';
import type { GenerationTail } from './generation-tail.ts';
import { type HeldFolder, holdFolder } from './held-folder.ts';
import { type ListedFile, listRing } from './listed-ring.ts';

/** A recording that is followed: its generations, each with its files, as they come and go. */
export type FollowedRing = AsyncDisposable & {
  /** In the order in which they started, also those that have been read to their end. Each has a header. */
  readonly tails: readonly GenerationTail[];
  /** Looks at the folder again. */
  readonly look: () => Promise<void>;
  /** Resolves when the folder has been looked at since the last call, or at the signal. */
  readonly changed: (signal: AbortSignal) => Promise<void>;
  readonly state: () => RingState;
  /** What could not be read, with the names of files in the folder. */
  readonly notes: () => readonly string[];
  /** All files that are held open. */
  readonly files: () => readonly PcapFile[];
};

/**
 * `ended`: the Pod has. `deleted`: what was recorded has been, for good: what is recorded under the same name later is
 * another recording. `atMs`: since when that is known, by the monotonic clock.
 */
export type RingState = { readonly kind: 'live' | 'ended' | 'deleted'; readonly atMs: number };

export type FollowOptions = {
  readonly folder: string;
  readonly pollMs: number;
  /** How many files may be held open; those beyond are opened when older ones have been read. */
  readonly mostFiles: number;
  readonly nowMs: () => number;
  /** That of the records. */
  readonly clock: Clock;
  /** What keeps it from looking again; it tries again. */
  readonly onError: (error: unknown) => void;
};

/** The ring deletes files without waiting: they are opened this soon, so that what is deleted can still be counted. */
export const pollEveryMs = 200;

/** Looks at the folder now, and then every `pollMs`, whether or not anybody reads. */
export async function followRing(options: FollowOptions): Promise<FollowedRing> {
  const { nowMs } = options;
  const followed: FollowedTails = { tails: [], unread: new Map() };
  const { tails, unread } = followed;
  const woken: Wakeup = wakeup();
  await using opening = new AsyncDisposableStack();
  const held = opening.use(await holdFolder(options.folder));
  let state: RingState = { kind: 'live', atMs: nowMs() };
  /** Generations that had been set aside before: they are no part of the ring. */
  let ignored: ReadonlySet<number> | undefined;
  let isFirst = true;
  let looking: Promise<void> | undefined;

  async function lookOnce(): Promise<void> {
    if (state.kind === 'deleted') return;
    const atMs = nowMs();
    const listed = held && (await listRecording(held, tails));
    if (!listed) {
      state = { kind: 'deleted', atMs };
      return;
    }
    const folder = held.path;
    ignored ??= onlyFrozen(listed.files);
    const files = listed.files.filter(({ generation }) => !ignored?.has(generation));
    await addFiles(followed, files, { ...options, folder, isFirst });
    isFirst = false;
    await forgetFiles(tails, files, nowMs);
    await readEnds(folder, { tails, hasPodEnded: listed.hasPodEnded, atMs, clock: options.clock });
    if (!listed.hasPodEnded) state = { kind: 'live', atMs };
    else if (state.kind !== 'ended') state = { kind: 'ended', atMs };
  }

  /** One at a time. */
  function look(): Promise<void> {
    looking ??= lookOnce().finally(() => {
      looking = undefined;
      woken.wake();
    });
    return looking;
  }

  await look();
  const timer = every(options.pollMs, look, options.onError);
  const opened = opening.move();
  return {
    tails,
    look,
    async changed(signal) {
      const { promise: aborted, resolve: abort } = Promise.withResolvers<void>();
      using _aborting = onAbort(signal, abort);
      await Promise.race([woken.wait(), aborted]);
    },
    state: () => state,
    notes() {
      const notes = [...tails, ...unread.values()].flatMap((tail) => tail.notes);
      return notes.map((note) => (held ? withoutFolder(note, held.path) : note));
    },
    files: () => tails.flatMap((tail) => tail.files),
    async [Symbol.asyncDispose]() {
      timer[Symbol.dispose]();
      await looking?.catch(() => {});
      await Promise.all(tails.map((tail) => tail[Symbol.asyncDispose]()));
      await opened[Symbol.asyncDispose]();
    },
  };
}

/** Undefined if the recording has been deleted, even if its folder has not: it can have files of others. */
async function listRecording({ path }: HeldFolder, tails: readonly GenerationTail[]) {
  const listed = await listRing(path);
  if (!listed) return undefined;
  const newest = tails.findLast(({ record }) => record !== undefined);
  if (!newest?.record) return listed;
  const record = await readRecord(path, newest.number);
  if (record) return isSameStart(record, newest.record) ? listed : undefined;
  // Records of captures without files are deleted, but not the newest ones.
  const started = (await ifExists(startedGenerations(path))) ?? new Set<number>();
  return [...started].some((number) => number > newest.number) ? listed : undefined;
}

function isSameStart(a: CaptureRecord, b: CaptureRecord): boolean {
  return (
    a.startTime === b.startTime && a.clock.bootId === b.clock.bootId && a.clock.startMs === b.clock.startMs
  );
}

function onlyFrozen(files: readonly ListedFile[]): ReadonlySet<number> {
  const inRing = new Set(files.flatMap(({ isFrozen, generation }) => (isFrozen ? [] : [generation])));
  return new Set(files.flatMap(({ generation }) => (inRing.has(generation) ? [] : [generation])));
}

/** What the ring has deleted is not sent: a reader who is slower than the ring would get ever older packets. */
async function forgetFiles(
  tails: readonly GenerationTail[],
  files: readonly ListedFile[],
  nowMs: () => number,
): Promise<void> {
  const listed = new Set(files.map(({ generation, index }) => `${generation} ${index}`));
  for (const tail of tails) {
    for (const index of tail.waiting)
      if (!listed.has(`${tail.number} ${index}`)) await tail.forget(index, nowMs);
  }
}

/** Who has ended writes nothing any more. Only then it matters: when another one follows, or the Pod has ended. */
async function readEnds(
  folder: string,
  {
    tails,
    hasPodEnded,
    atMs,
    clock,
  }: {
    readonly tails: readonly GenerationTail[];
    readonly hasPodEnded: boolean;
    readonly atMs: number;
    readonly clock: Clock;
  },
): Promise<void> {
  for (const [at, tail] of tails.entries()) {
    const isFollowed = tails.slice(at + 1).some(({ interfaceName }) => interfaceName === tail.interfaceName);
    if (tail.endSeenMs !== undefined || !(isFollowed || hasPodEnded)) continue;
    tail.record = (await readRecord(folder, tail.number)) ?? tail.record;
    // Nobody writes down the end of a capture whose agent was killed.
    if (tail.record && isOver(tail.record, clock)) tail.endSeenMs = atMs;
  }
}
