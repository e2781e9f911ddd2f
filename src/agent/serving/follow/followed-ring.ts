import type { Clock } from '../../../base/clock.ts';
import { ifExists } from '../../../base/fs-errors.ts';
import { every } from '../../../base/timers.ts';
import { type Wakeup, wakeup } from '../../../base/wakeup.ts';
import { openPcap, type PcapFile } from '../../../pcap/pcap-file.ts';
import { isOver, readRecord } from '../../storage/capture-records.ts';
import { GenerationTail } from './generation-tail.ts';
import { type ListedFile, listRing } from './listed-ring.ts';
import type { MissingPackets } from './missing-packets.ts';

/** A recording that is followed: its generations, each with its files, as they come and go. */
export type FollowedRing = AsyncDisposable & {
  /** In the order in which they started, also those that have been read to their end. */
  readonly tails: readonly GenerationTail[];
  /** Looks at the folder again. */
  readonly look: () => Promise<void>;
  /** Resolves when the folder has been looked at since the last call. */
  readonly changed: () => Promise<void>;
  readonly state: () => RingState;
  /** All files that are held open. */
  readonly files: () => readonly PcapFile[];
};

/** `ended`: the Pod has. `deleted`: so has its folder. `atMs`: since when that is known, by the monotonic clock. */
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
  const { folder, nowMs } = options;
  const tails: GenerationTail[] = [];
  const woken: Wakeup = wakeup();
  let state: RingState = { kind: 'live', atMs: nowMs() };
  /** Generations that had been set aside before: they are no part of the ring. */
  let ignored: ReadonlySet<number> | undefined;
  let isFirst = true;
  let looking: Promise<void> | undefined;

  async function lookOnce(): Promise<void> {
    const atMs = nowMs();
    const listed = await listRing(folder);
    if (!listed) {
      if (state.kind !== 'deleted') state = { kind: 'deleted', atMs };
      return;
    }
    ignored ??= onlyFrozen(listed.files);
    const files = listed.files.filter(({ generation }) => !ignored?.has(generation));
    await addFiles(tails, files, { ...options, isFirst });
    isFirst = false;
    await forgetFiles(tails, files);
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
  return {
    tails,
    look,
    changed: () => woken.wait(),
    state: () => state,
    files: () => tails.flatMap((tail) => tail.files),
    async [Symbol.asyncDispose]() {
      timer[Symbol.dispose]();
      await looking?.catch(() => {});
      await Promise.all(tails.map((tail) => tail[Symbol.asyncDispose]()));
    },
  };
}

function onlyFrozen(files: readonly ListedFile[]): ReadonlySet<number> {
  const inRing = new Set(files.flatMap(({ isFrozen, generation }) => (isFrozen ? [] : [generation])));
  return new Set(files.flatMap(({ generation }) => (inRing.has(generation) ? [] : [generation])));
}

type Adding = Pick<FollowOptions, 'folder' | 'mostFiles' | 'nowMs'> & {
  /** Of a generation that is there from the start, the ring may have deleted files long ago. */
  readonly isFirst: boolean;
};

/** Opens what is new, oldest first. */
async function addFiles(
  tails: GenerationTail[],
  files: readonly ListedFile[],
  { folder, mostFiles, nowMs, isFirst }: Adding,
): Promise<void> {
  let open = tails.reduce((sum, tail) => sum + tail.files.length, 0);
  for (const [number, ofGeneration] of Map.groupBy(files, ({ generation }) => generation)) {
    const known = tails.find((tail) => tail.number === number);
    const tail = known ?? new GenerationTail(number, undefined);
    // It is written before tcpdump starts.
    tail.record ??= await readRecord(folder, number);
    for (const [at, { path, index }] of ofGeneration.entries()) {
      if (index <= tail.lastIndex) continue;
      if (open >= mostFiles) return;
      const opened = await ifExists(openPcap(path));
      const isNewest = at === ofGeneration.length - 1;
      // It is moved right now, or has no header yet: nothing after it is read before it.
      if (!opened || (opened.kind === 'empty' && isNewest)) break;
      if (opened.kind === 'pcap')
        tail.add(index, opened, isFirst ? undefined : missingBefore(tail, index), nowMs());
      else tail.skip(index, opened.kind === 'empty' ? undefined : opened.message);
      open += 1;
    }
    if (!known && tail.lastIndex >= 0) tails.push(tail);
  }
}

/** Files that came and went before they were seen: nobody knows how much they had. */
function missingBefore({ lastIndex, record }: GenerationTail, index: number): MissingPackets | undefined {
  const files = index - lastIndex - 1;
  if (files <= 0) return undefined;
  const bytes = record && files * record.fileMegabytes * 1_000_000;
  return { reason: 'ReaderTooSlow', packets: undefined, bytes };
}

/** What the ring has deleted is not sent: a reader who is slower than the ring would get ever older packets. */
async function forgetFiles(tails: readonly GenerationTail[], files: readonly ListedFile[]): Promise<void> {
  const listed = new Set(files.map(({ generation, index }) => `${generation} ${index}`));
  for (const tail of tails) {
    for (const index of tail.waiting) if (!listed.has(`${tail.number} ${index}`)) await tail.forget(index);
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
