import { fstatSync } from 'node:fs';
import type { Terminal } from './terminal.ts';

const everyMs = 200;

/** A line on standard error, if that is a terminal, which says how far a command is. */
export type Progress = {
  /** Shows the text, a few times per second at most. */
  readonly show: (text: () => string) => void;
  /** Leaves nothing of it on the terminal: before a message, and at the end. */
  readonly clear: () => void;
};

/** Data for standard output must go to a file: a pager, or another program at the end of a pipe, has the terminal too. */
export function progressOn(
  { stdout, stderr }: Pick<Terminal, 'stdout' | 'stderr'>,
  { dataTo }: { readonly dataTo: 'stdout' | 'file' },
): Progress {
  const isOwn = stderr.isTTY === true && (dataTo === 'file' || isFile(stdout));
  let shownMs = performance.now();
  let isShown = false;
  return {
    show(text) {
      const nowMs = performance.now();
      if (!isOwn || nowMs - shownMs < everyMs) return;
      shownMs = nowMs;
      isShown = true;
      stderr.write(`\r\u001b[K${fitting(text(), stderr.columns)}`);
    },
    clear() {
      if (isShown) stderr.write('\r\u001b[K');
      isShown = false;
    },
  };
}

/** One that is wrapped would stay on the screen. */
function fitting(text: string, columns: number | undefined): string {
  return text.slice(0, (columns || 80) - 1);
}

function isFile(stdout: Terminal['stdout']): boolean {
  return 'fd' in stdout && typeof stdout.fd === 'number' && fstatSync(stdout.fd).isFile();
}

/** The number of bytes, for people. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
