import { readFileSync } from 'node:fs';

/** A process that cannot be taken for another one that got the same pid later. */
export type ProcessId = {
  readonly pid: number;
  /** Clock ticks after boot, field 22 of /proc/<pid>/stat (proc_pid_stat(5)). */
  readonly startTime: string;
};

/** Gives undefined if there is no such process, or only its zombie. */
export function processId(pid: number): ProcessId | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  return parseStat(pid, stat);
}

/** The name, field 2, is in parentheses and may hold spaces and parentheses itself. */
export function parseStat(pid: number, stat: string): ProcessId | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const startTime = fields[19];
  if (startTime === undefined || state === 'Z' || state === 'X') return undefined;
  return { pid, startTime };
}

export function isAlive(id: ProcessId): boolean {
  return processId(id.pid)?.startTime === id.startTime;
}
