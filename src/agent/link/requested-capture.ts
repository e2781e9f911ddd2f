import type { CaptureSpec } from '../planner/annotations.ts';
import type { RecordingNote } from '../storage/recording-note.ts';
import { boundedText } from './report-text.ts';

/** What a request asks for, as captures show it. */
export function requestedCapture(spec: CaptureSpec): NonNullable<RecordingNote['requested']> {
  const { files, fileMegabytes, filter, snaplen, durationMs, freeze } = spec;
  return {
    files,
    fileMegabytes,
    ...(filter !== undefined && { filter: boundedText(filter, 8_192) }),
    ...(snaplen !== undefined && { snaplen }),
    ...(durationMs !== undefined && { durationSeconds: durationMs / 1_000 }),
    ...(freeze.on.length > 0 && { freezeOn: [...freeze.on] }),
  };
}
