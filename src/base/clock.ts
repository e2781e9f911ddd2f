import { readFile } from 'node:fs/promises';

/** A clock that cannot be set. It runs from the start of the machine, so it continues across restarts of the agent. */
export type Clock = {
  /** Milliseconds since the machine started. */
  readonly nowMs: () => number;
  /** Changes with each boot: times of different boots cannot be compared. */
  readonly bootId: string;
};

/** The time since boot (proc(5), /proc/uptime), read once and continued with the monotonic clock of this process. */
export async function bootClock(): Promise<Clock> {
  const [uptime, bootId] = await Promise.all([
    readFile('/proc/uptime', 'utf8'),
    readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
  ]);
  const startMs = Number(uptime.split(' ')[0]) * 1_000 - performance.now();
  return { nowMs: () => startMs + performance.now(), bootId: bootId.trim() };
}
