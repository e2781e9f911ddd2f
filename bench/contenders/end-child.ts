import type { ChildProcess } from 'node:child_process';

/** Asks a process to end (TERM), kills it when it does not in time, and resolves when it is gone. */
export async function endWithin(child: ChildProcess, closed: Promise<unknown>, ms: number): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), ms);
  try {
    await closed;
  } finally {
    clearTimeout(timer);
  }
}
