/** What /proc/<pid>/stat (proc_pid_stat(5)) has of a process. */
export type ProcessStat = {
  /** One letter; Z is a zombie. */
  readonly state: string;
  readonly parent: number;
  /** In clock ticks since boot, as the kernel writes it: with the pid, it identifies a process. */
  readonly startTime: string;
};

/** Undefined for an incomplete text. The name, field 2, is in parentheses and can have spaces and parentheses itself. */
export function parseProcessStat(text: string): ProcessStat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent] = fields;
  const startTime = fields[19];
  if (state === undefined || parent === undefined || startTime === undefined) return undefined;
  return { state, parent: Number(parent), startTime };
}
