import { type CaptureForm, captureObject } from './rendered-captures.ts';
import type { CaptureEvent } from './watch-selection.ts';

/** Writes watch events, each part of them once for all watches that get it in the same form. */
export type EventLines = {
  /** The lines of all of them. `hasColumns`: of the first of them, if it is a Table. */
  readonly of: (events: readonly CaptureEvent[], form: CaptureForm, hasColumns: boolean) => Buffer;
};

/**
 * Watches that begin at once get the same parts, those of a slow reader later: about 10,000 captures are kept for a while.
 * Ages in a Table are as old as `tableMs` at most.
 */
const kept = { bytes: 16 * 1024 * 1024, parts: 2_048, forMs: 5_000, tableMs: 1_000 } as const;

/** The lines of the events of one hub. */
export function eventLines(nowMs: () => number = Date.now): EventLines {
  /** By form and first capture, oldest first. */
  const parts = new Map<string, WrittenPart>();
  let bytes = 0;

  function forget(key: string): void {
    bytes -= parts.get(key)?.lines.length ?? 0;
    parts.delete(key);
  }

  function keep(key: string, part: WrittenPart): void {
    forget(key);
    parts.set(key, part);
    bytes += part.lines.length;
    for (const [oldest, { madeMs }] of parts) {
      const isTooMuch = bytes > kept.bytes || parts.size > kept.parts;
      if (!isTooMuch && nowMs() - madeMs < kept.forMs) break;
      forget(oldest);
    }
  }

  return {
    of(events, form, hasColumns) {
      const key = keyOf(events, form, hasColumns);
      const known = parts.get(key);
      const forMs = form.representation.kind === 'table' ? kept.tableMs : kept.forMs;
      if (known && nowMs() - known.madeMs < forMs && isSame(known.events, events)) return known.lines;
      const texts = events.map(({ type, capture }, at) =>
        eventText(type, captureObject(capture, form, { nowMs: nowMs(), hasColumns: hasColumns && at === 0 })),
      );
      const lines = Buffer.from(texts.join(''));
      keep(key, { events, lines, madeMs: nowMs() });
      return lines;
    },
  };
}

/** One event as a line of a watch. */
export function eventLine(type: EventType, object: object): Buffer {
  return Buffer.from(eventText(type, object));
}

type EventType = CaptureEvent['type'] | 'BOOKMARK';

type WrittenPart = {
  readonly events: readonly CaptureEvent[];
  readonly lines: Buffer;
  readonly madeMs: number;
};

function keyOf([first]: readonly CaptureEvent[], form: CaptureForm, hasColumns: boolean): string {
  const { representation, include } = form;
  return `${first?.capture.metadata.uid} ${hasColumns} ${include} ${JSON.stringify(representation)}`;
}

/** A capture that has changed is another object. */
function isSame(one: readonly CaptureEvent[], other: readonly CaptureEvent[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ type, capture }, at) => other[at]?.type === type && other[at].capture === capture)
  );
}

function eventText(type: EventType, object: object): string {
  return `${JSON.stringify({ type, object })}\n`;
}
