import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseProcessStat } from '../base/process-stat.ts';

const prefix = 'podcap-test';

/**
 * A unique name that says which process it belongs to: by pid and start time, because pids are reused. By it,
 * `isLeftover` knows what a killed test run has left behind, and the next run removes it.
 */
export function ownedName(): string {
  return `${prefix}-${process.pid}-${startTime(process.pid)}-${randomBytes(4).toString('hex')}`;
}

/** Whether a name that starts with an `ownedName` belongs to a process that no longer runs. */
export function isLeftover(name: string): boolean {
  const [, pid, started] = /^podcap-test-(\d+)-(\d+)-/.exec(name) ?? [];
  return pid !== undefined && startTime(Number(pid)) !== started;
}

/** In clock ticks since boot; undefined if there is no such process. */
function startTime(pid: number): string | undefined {
  try {
    return parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.startTime;
  } catch {
    return undefined;
  }
}
