import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import type { Clock } from '../../base/clock.ts';
import { ifExists } from '../../base/fs-errors.ts';
import { readAgentFile } from './agent-files.ts';
import { podEndName } from './file-names.ts';
import { replaceFile } from './replace-file.ts';

/**
 * When an agent saw that the Pod of a folder had ended, in milliseconds of the clock of that boot. It has a file of its
 * own: a record belongs to the agent that started its capture, and during a rolling update that may be another one.
 */
const podEndSchema = v.object({ bootId: v.string(), endedMs: v.pipe(v.number(), v.finite()) });

/**
 * Undefined while the Pod may be running. If it ended before this boot, only that counts: its retention time starts with
 * this boot, at 0.
 */
export async function readPodEnd(folder: string, { bootId }: Clock): Promise<number | undefined> {
  const end = await readFile(folder);
  return end && (end.bootId === bootId ? end.endedMs : 0);
}

/** Whether an agent has seen that the Pod ended. */
export async function hasPodEnded(folder: string): Promise<boolean> {
  return (await readFile(folder)) !== undefined;
}

/** Does nothing if an agent has seen it before. */
export async function writePodEnd(folder: string, clock: Clock, endedMs: number): Promise<void> {
  if (await hasPodEnded(folder)) return;
  await replaceFile(join(folder, podEndName), `${JSON.stringify({ bootId: clock.bootId, endedMs })}\n`);
}

/** The Pod is running, even if an outdated list left it out before. */
export async function removePodEnd(folder: string): Promise<void> {
  // What tcpdump's user left there, a folder for example, means nothing.
  if (await hasPodEnded(folder)) await ifExists(unlink(join(folder, podEndName)));
}

/** Undefined if there is none, or if what is there cannot be an agent's. */
async function readFile(folder: string): Promise<v.InferOutput<typeof podEndSchema> | undefined> {
  const text = await readAgentFile(folder, podEndName);
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), podEndSchema), text);
  return parsed.success ? parsed.output : undefined;
}
