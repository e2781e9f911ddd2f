import { unlinkSync } from 'node:fs';
import { constants } from 'node:os';

/**
 * Until it is disposed of, a signal that ends the command deletes the file first; the exit code is then 128 and the
 * signal's number, as a shell has it for programs without a handler.
 */
export function deleteOnSignal(path: string): Disposable {
  const end = (signal: (typeof signals)[number]) => {
    deleteNow(path);
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of signals) process.on(signal, end);
  return {
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, end);
    },
  };
}

/** Until it is disposed of, the file is deleted when the process exits by itself. */
export function deleteAtExit(path: string): Disposable {
  const end = () => deleteNow(path);
  process.on('exit', end);
  return { [Symbol.dispose]: () => process.off('exit', end) };
}

function deleteNow(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // There is nobody left to tell.
  }
}

const signals = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const;
