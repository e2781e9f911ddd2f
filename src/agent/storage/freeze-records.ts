import { join } from 'node:path';
import * as v from 'valibot';
import { freezeTriggers } from '../planner/annotations.ts';
import { readAgentFile } from './agent-files.ts';
import { freezeLogName, frozenRecordName } from './file-names.ts';
import { replaceFile } from './replace-file.ts';

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const milliseconds = v.pipe(v.number(), v.finite());

const causeSchema = v.object({
  /** `manual`: somebody asked for it. */
  trigger: v.picklist([...freezeTriggers, 'manual']),
  container: v.exactOptional(v.string()),
  exitCode: v.exactOptional(v.number()),
  /** The container runtime's word, such as OOMKilled or Error. */
  reason: v.exactOptional(v.string()),
  /** When the container ended, RFC 3339, to the second. */
  finishedAt: v.exactOptional(v.string()),
  /** What the person wrote who asked for it. */
  text: v.exactOptional(v.string()),
  /** It happened while no agent ran: the packets around it may be missing. */
  isLate: v.exactOptional(v.literal(true)),
});
/** Why a ring is frozen. */
export type FreezeCause = v.InferOutput<typeof causeSchema>;

const seenSchema = v.object({
  bootId: v.string(),
  phase: v.string(),
  /** Also those whose status the kubelet does not give at the moment. `lastEnd` identifies the newest end. */
  containers: v.array(
    v.object({
      name: v.string(),
      restarts: count,
      isReady: v.boolean(),
      lastEnd: v.exactOptional(v.string()),
      /** It has not started since the Node was started: it has ended with the Node. */
      awaitsStart: v.exactOptional(v.literal(true)),
    }),
  ),
  /** The newest text by which somebody asked to freeze. */
  text: v.exactOptional(v.string()),
});
/** What has happened to a Pod, as far as it was taken into account: only what is new freezes. */
export type SeenState = v.InferOutput<typeof seenSchema>;

const logSchema = v.object({
  /** The greater one is the newer one. */
  sequence: count,
  seen: seenSchema,
  /** How many causes have frozen nothing since the newest frozen ring. */
  notFrozen: count,
});
/** What has been taken into account so far: in freezes.json, or in the record of a ring that it has frozen. */
export type FreezeLog = v.InferOutput<typeof logSchema>;

const logFileSchema = v.object({ version: v.literal(1), ...logSchema.entries });

const recordSchema = v.object({
  version: v.literal(1),
  number: v.pipe(count, v.minValue(1)),
  causes: v.array(causeSchema),
  /** The ring of all generations up to this one is set aside. */
  upTo: count,
  /** When it was triggered, RFC 3339. */
  time: v.pipe(v.string(), v.isoTimestamp()),
  /** The same by the clock of that boot. */
  clock: v.object({ bootId: v.string(), startMs: milliseconds }),
  /** How many causes since the frozen ring before had frozen nothing. */
  notFrozenBefore: count,
  /** What was taken into account with its causes: one file has both. */
  log: logSchema,
  /** Undefined until its files are set aside. `first` and `last` are the times of its packets, RFC 3339. */
  frozen: v.exactOptional(
    v.object({
      /** Undefined if there is too much to be read for that. */
      packets: v.exactOptional(count),
      first: v.exactOptional(v.string()),
      last: v.exactOptional(v.string()),
    }),
  ),
});
/** frozen.json, in the folder of a frozen ring: first the intent, then what it has become. */
export type FreezeRecord = v.InferOutput<typeof recordSchema>;

/** Undefined if there is none, or if what is there cannot be an agent's. */
export async function readFreezeLog(podFolder: string): Promise<FreezeLog | undefined> {
  const log = parse(logFileSchema, await readAgentFile(podFolder, freezeLogName));
  return log && { sequence: log.sequence, seen: log.seen, notFrozen: log.notFrozen };
}

/** Replaces it by rename. Throws what a full disk says. */
export async function writeFreezeLog(podFolder: string, log: FreezeLog): Promise<void> {
  await replaceFile(join(podFolder, freezeLogName), serialize({ version: 1, ...log }));
}

/** The record in the folder of a frozen ring; undefined if there is none, or if what is there cannot be an agent's. */
export async function readFreezeRecord(frozenFolder: string): Promise<FreezeRecord | undefined> {
  return parse(recordSchema, await readAgentFile(frozenFolder, frozenRecordName));
}

/** Replaces it by rename. Throws what a full disk says. */
export async function writeFreezeRecord(frozenFolder: string, record: FreezeRecord): Promise<void> {
  await replaceFile(join(frozenFolder, frozenRecordName), serialize(record));
}

function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  text: string | undefined,
): v.InferOutput<Schema> | undefined {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), text);
  return parsed.success ? parsed.output : undefined;
}

function serialize(object: object): string {
  return `${JSON.stringify(object, undefined, 2)}\n`;
}
