import type { ChildProcess } from 'node:child_process';

/** Asks a process to end (TERM), kills it if it has not ended after `ms`, and resolves when `closed` does. */
export async function endWithin(child: ChildProcess, closed: Promise<unknown>, ms: number): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), ms);
  try {
    await closed;
  } finally {
    clearTimeout(timer);
  }
}
