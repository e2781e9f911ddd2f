import { abortableSleep } from '../../kubernetes/abortable-sleep.ts';
import type { StatusError } from '../api/status-error.ts';

export type PermissionOptions = {
  /** Asks whether the stream is still allowed; undefined if it is. */
  readonly authorize: (signal: AbortSignal) => Promise<StatusError | undefined>;
  readonly everyMs: number;
  /** How long a stream goes on while nobody can say: the API server may just be restarting. */
  readonly uncheckedMs: number;
  readonly signal: AbortSignal;
};

/** Asks again and again, and resolves with why a stream has to end; undefined once the signal has aborted. */
export async function permissionLost({
  authorize,
  everyMs,
  uncheckedMs,
  signal,
}: PermissionOptions): Promise<'AccessRevoked' | 'AccessUnchecked' | undefined> {
  let allowedMs = performance.now();
  for (;;) {
    await abortableSleep(everyMs, signal);
    if (signal.aborted) return undefined;
    const error = await authorize(signal);
    if (signal.aborted) return undefined;
    if (error === undefined) allowedMs = performance.now();
    else if (error.code === 403) return 'AccessRevoked';
    else if (performance.now() - allowedMs >= uncheckedMs) return 'AccessUnchecked';
  }
}
