import type { Capture } from '../../api/capture.ts';
import { type CaptureForm, captureObject } from './rendered-captures.ts';
import type { CaptureEvent } from './watch-selection.ts';

/** Writes watch events, each once for all watches that get it in the same form. */
export type EventLines = {
  readonly of: (event: CaptureEvent, form: CaptureForm, hasColumns: boolean) => Buffer;
};

/** An event reaches all watches within moments: more is not kept. Ages in a Table are as old as this at most. */
const kept = { captures: 256, forMs: 1_000 } as const;

/** The lines of the events of one hub. */
export function eventLines(nowMs: () => number = Date.now): EventLines {
  /** Oldest first. */
  const lines = new Map<Capture, { readonly madeMs: number; readonly byForm: Map<string, Buffer> }>();

  function linesOf(capture: Capture): Map<string, Buffer> {
    const known = lines.get(capture);
    if (known && nowMs() - known.madeMs < kept.forMs) return known.byForm;
    lines.delete(capture);
    const byForm = new Map<string, Buffer>();
    lines.set(capture, { madeMs: nowMs(), byForm });
    for (const oldest of lines.keys()) {
      if (lines.size <= kept.captures) break;
      lines.delete(oldest);
    }
    return byForm;
  }

  return {
    of({ type, capture }, form, hasColumns) {
      const key = `${type} ${hasColumns} ${form.include} ${JSON.stringify(form.representation)}`;
      const known = linesOf(capture);
      const line =
        known.get(key) ?? eventLine(type, captureObject(capture, form, { nowMs: nowMs(), hasColumns }));
      known.set(key, line);
      return line;
    },
  };
}

/** One event as a line of a watch. */
export function eventLine(type: CaptureEvent['type'] | 'BOOKMARK', object: object): Buffer {
  return Buffer.from(`${JSON.stringify({ type, object })}\n`);
}
