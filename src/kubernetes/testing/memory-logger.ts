import type { Log } from '../logger.ts';

export type Line = { readonly message: string; readonly fields: object };

/** A logger that keeps its lines in memory, whatever their level. */
export function memoryLog(): Log & { readonly lines: readonly Line[] } {
  const lines: Line[] = [];
  const keep = (fields: object, message: string) => {
    lines.push({ message, fields });
  };
  return { lines, debug: keep, info: keep, warn: keep };
}
