import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { lstat, mkdir, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import * as v from 'valibot';
import { coalesced } from '../../base/coalesced.ts';
import { hasCode, ifExists } from '../../base/fs-errors.ts';
import { openPlainFile } from '../../base/plain-file.ts';
import { parseProcessStat } from '../../base/process-stat.ts';
import { every, throttle } from '../../base/timers.ts';
import { replaceFile } from '../storage/replace-file.ts';
import { captureStates, type PodState } from './capture-states.ts';

/**
 * The states of all captures, in memory that `podcap list` can read: it is another process in the agent's container.
 * docs/decisions/0030-podcap-list-reads-states-from-shared-memory.md has the reasons.
 */
export type StateFile = AsyncDisposable & {
  /** A state may have changed. Never waits and never throws. */
  readonly changed: () => void;
};

export type StateFileOptions = {
  readonly capturesFolder: string;
  readonly states: () => readonly PodState[];
  readonly log: Logger;
};

const minWriteIntervalMs = 500;
/** A plan can change a state without a report. */
const checkEveryMs = 5_000;

/** Writes the file now, and after each change. Disposing of it deletes the file. */
export async function openStateFile({ capturesFolder, states, log }: StateFileOptions): Promise<StateFile> {
  const path = stateFilePath(capturesFolder);
  const writer = await identityOf(process.pid);
  let written = '';
  let hasFailed = false;
  const writing = coalesced(
    async () => {
      const text = `${JSON.stringify({ version: 1, writer, states: states() })}\n`;
      if (text === written) return;
      await makeOwnFolder(dirname(path));
      await replaceFile(path, text);
      written = text;
      hasFailed = false;
    },
    (error) => {
      if (!hasFailed) log.warn({ err: error }, 'failed to write the states of the captures');
      hasFailed = true;
    },
  );
  const throttled = throttle(minWriteIntervalMs, writing.run);
  const checking = every(checkEveryMs, async () => throttled.run());
  throttled.run();
  // Before any tcpdump starts: its user cannot take the name any more.
  await writing.settled();
  return {
    changed: throttled.run,
    async [Symbol.asyncDispose]() {
      checking[Symbol.dispose]();
      throttled[Symbol.dispose]();
      await writing.settled();
      await rm(dirname(path), { recursive: true, force: true }).catch((error: unknown) =>
        log.warn({ err: error }, 'failed to delete the states of the captures'),
      );
    },
  };
}

/** By UID, what the agent in this container says now; undefined if none runs here. */
export async function readStates(capturesFolder: string): Promise<ReadonlyMap<string, PodState> | undefined> {
  const path = stateFilePath(capturesFolder);
  const folder = await ifExists(lstat(dirname(path)));
  if (!folder || !isOwn(folder)) return undefined;
  const opened = await ifExists(openPlainFile(path));
  if (opened?.kind !== 'file') return undefined;
  await using handle = opened.handle;
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), fileSchema), await handle.readFile('utf8'));
  if (!parsed.success) return undefined;
  const { writer, states } = parsed.output;
  if ((await identityOf(writer.pid))?.startTime !== writer.startTime) return undefined;
  return new Map(states.map((state) => [state.uid, { ...noWords, ...state }]));
}

const noWords = { pod: undefined, reason: undefined, message: undefined };

/**
 * One for each folder of captures, in a tmpfs of the container: it is there on a full disk and a read-only root. The
 * file has a folder of its own, because any user of the container can write to the tmpfs.
 */
export function stateFilePath(capturesFolder: string): string {
  const hash = createHash('sha256').update(capturesFolder).digest('hex').slice(0, 16);
  return `/dev/shm/podcap-${hash}/states.json`;
}

/** Throws if something else has that name, which is another user's. */
async function makeOwnFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    if (!isOwn(await lstat(path))) throw new Error(`${path} is not the agent's folder`, { cause: error });
  }
}

function isOwn(folder: Stats): boolean {
  return folder.isDirectory() && folder.uid === process.getuid?.();
}

/** A process by its pid and start time, which no other process has; undefined if there is none. */
async function identityOf(pid: number): Promise<v.InferOutput<typeof writerSchema> | undefined> {
  const stat = parseProcessStat(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''));
  return stat && { pid, startTime: stat.startTime };
}

const writerSchema = v.object({ pid: v.pipe(v.number(), v.safeInteger()), startTime: v.string() });

const fileSchema = v.object({
  version: v.literal(1),
  writer: writerSchema,
  states: v.array(
    v.object({
      uid: v.string(),
      pod: v.exactOptional(v.object({ namespace: v.string(), name: v.string() })),
      state: v.picklist(captureStates),
      reason: v.exactOptional(v.string()),
      message: v.exactOptional(v.string()),
    }),
  ),
});
