import { readFileSync } from 'node:fs';

/** Identifies a process: no process that gets the same pid later is mistaken for it. */
export type ProcessId = {
  readonly pid: number;
  /** Clock ticks after boot, field 22 of /proc/<pid>/stat (proc_pid_stat(5)). */
  readonly startTime: string;
};

/** Returns undefined if there is no such process, or only its zombie. */
export function processId(pid: number): ProcessId | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  return parseStat(pid, stat);
}

/** Parses /proc/<pid>/stat. Field 2, the name, is in parentheses and may contain spaces and parentheses itself. */
export function parseStat(pid: number, stat: string): ProcessId | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const startTime = fields[19];
  if (startTime === undefined || state === 'Z' || state === 'X') return undefined;
  return { pid, startTime };
}

/** Whether that very process is still running. */
export function isAlive(id: ProcessId): boolean {
  return processId(id.pid)?.startTime === id.startTime;
}
