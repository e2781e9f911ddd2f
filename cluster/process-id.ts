import { readFileSync } from 'node:fs';
import { parseProcessStat } from '../src/base/process-stat.ts';

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

/** Reads the identity from the text of /proc/<pid>/stat; undefined for a process that has ended. */
export function parseStat(pid: number, stat: string): ProcessId | undefined {
  const parsed = parseProcessStat(stat);
  if (parsed === undefined || parsed.state === 'Z' || parsed.state === 'X') return undefined;
  return { pid, startTime: parsed.startTime };
}

/** Whether that very process is still running. */
export function isAlive(id: ProcessId): boolean {
  return processId(id.pid)?.startTime === id.startTime;
}
