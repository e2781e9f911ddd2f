import { readFile } from 'node:fs/promises';

/** A clock that nobody can set: it runs with the machine, and an agent that starts again finds it going on. */
export type Clock = {
  /** Milliseconds since the machine started. */
  readonly nowMs: () => number;
  /** Times of another boot cannot be compared with these. */
  readonly bootId: string;
};

/** Linux' own clock since the start (proc(5), /proc/uptime), with the process's monotonic clock in between. */
export async function bootClock(): Promise<Clock> {
  const [uptime, bootId] = await Promise.all([
    readFile('/proc/uptime', 'utf8'),
    readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
  ]);
  const startMs = Number(uptime.split(' ')[0]) * 1_000 - performance.now();
  return { nowMs: () => startMs + performance.now(), bootId: bootId.trim() };
}
