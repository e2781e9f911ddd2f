import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

const prefix = 'podcap-test';

/**
 * A name that no other test run uses and that says whose it is: the process and its start time, because process
 * ids are used again. What a killed run leaves behind is known by `isLeftover` and swept by the next one.
 */
export function ownedName(): string {
  return `${prefix}-${process.pid}-${startTime(process.pid)}-${randomBytes(4).toString('hex')}`;
}

/** True for a name, or the beginning of one, that `ownedName` gave to a process that runs no longer. */
export function isLeftover(name: string): boolean {
  const [, pid, started] = /^podcap-test-(\d+)-(\d+)-/.exec(name) ?? [];
  return pid !== undefined && startTime(Number(pid)) !== started;
}

/** Field 22 of /proc/<pid>/stat, in clock ticks since boot; undefined when there is no such process. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name, field 2, may hold spaces and parentheses.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
