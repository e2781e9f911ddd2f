import { join } from 'node:path';
import * as v from 'valibot';
import { capturePhases } from '../../api/capture.ts';
import { stringMap } from '../../kubernetes/string-map.ts';
import { readAgentFile } from './agent-files.ts';
import { readRecords } from './capture-records.ts';
import { recordingNoteName } from './file-names.ts';
import { replaceFile } from './replace-file.ts';

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const time = v.pipe(v.string(), v.maxLength(40), v.isoTimestamp());

const noteSchema = v.object({
  /** The newest that are known of the Pod. */
  labels: v.exactOptional(stringMap),
  interfaces: v.array(v.string()),
  /** What was last asked for. */
  requested: v.exactOptional(
    v.object({
      files: count,
      fileMegabytes: count,
      filter: v.exactOptional(v.string()),
      snaplen: v.exactOptional(count),
      durationSeconds: v.exactOptional(v.pipe(v.number(), v.finite(), v.minValue(0))),
      freezeOn: v.exactOptional(v.array(v.string())),
    }),
  ),
  /** The phase that was reported last, and since when. */
  phase: v.exactOptional(v.object({ phase: v.picklist(capturePhases), since: time })),
  /** RFC 3339. */
  startTime: v.exactOptional(time),
  /** As the API server says. */
  podCreationTime: v.exactOptional(time),
});
/** What hubs are told of a recording that outlives its Pod, and the agent that has seen it. */
export type RecordingNote = v.InferOutput<typeof noteSchema>;

/** The note in a Pod's folder, or what its records tell where no agent has written one. */
export async function readRecordingNote(folder: string): Promise<RecordingNote> {
  const text = await readAgentFile(folder, recordingNoteName);
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), noteSchema), text);
  if (parsed.success) return parsed.output;
  const records = await readRecords(folder);
  const startTime = records[0]?.startTime;
  return {
    interfaces: [...new Set(records.map((record) => record.interface))],
    ...(startTime !== undefined && { startTime }),
  };
}

/** Replaces it by rename. Throws what a full disk says. */
export async function writeRecordingNote(folder: string, note: RecordingNote): Promise<void> {
  await replaceFile(join(folder, recordingNoteName), `${JSON.stringify(note)}\n`);
}
