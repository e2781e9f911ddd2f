import { type ApiError, resourceVersionTooLarge } from './api-error.ts';

/** resourceVersion: where a watch goes on; for a list '0' is the server's cache, undefined is the newest there is. */
export type WatchStep =
  | { readonly kind: 'list'; readonly resourceVersion: '0' | undefined; readonly whole?: boolean }
  /** refusals: how many times in a row the server has answered 5xx. */
  | { readonly kind: 'watch'; readonly resourceVersion: string; readonly refusals?: number };

/** How a list or a watch ended, where it got to, how long the watch lived and whether it brought anything. */
export type WatchEnd = { readonly livedMs: number; readonly heard: boolean } & (
  | { readonly kind: 'listed'; readonly resourceVersion: string }
  | { readonly kind: 'closed'; readonly resourceVersion: string }
  | { readonly kind: 'failed'; readonly resourceVersion: string | undefined; readonly error: ApiError }
);

/** What follows: a watch goes on from where it got to whenever that can work, and only then is there no list. */
export function nextWatchStep(step: WatchStep, end: WatchEnd): WatchStep {
  if (end.kind !== 'failed') return { kind: 'watch', resourceVersion: end.resourceVersion };
  if (step.kind === 'list') {
    // Pages that expired while they were read would do so again: without a limit there is one.
    if (end.error.status === 410) return { kind: 'list', resourceVersion: undefined, whole: true };
    // The cache's list is one page, whatever the limit.
    return end.error.reason === 'TooLarge' ? { kind: 'list', resourceVersion: undefined } : step;
  }
  const refusals = (end.error.status ?? 0) >= 500 ? (step.refusals ?? 0) + 1 : 0;
  if (end.resourceVersion === undefined || refusals >= mostRefusals || cannotResume(end)) {
    return { kind: 'list', resourceVersion: undefined };
  }
  return { kind: 'watch', resourceVersion: end.resourceVersion, refusals };
}

// A resourceVersion that the server cannot read is a 500 (1.36), so one 500 after another may be about ours.
const mostRefusals = 5;

/** The server, or a line that cannot be read, says that a watch from here will never work. */
function cannotResume({ error: { status, reason }, heard }: WatchEnd & { kind: 'failed' }): boolean {
  // After a restore of etcd the server (1.36) lets one watch from a version to come, and sends nothing, no bookmark.
  if (reason === 'Silent' && !heard) return true;
  if (reason === 'Malformed' || reason === 'TooLarge' || reason === resourceVersionTooLarge) return true;
  if (status === undefined || status >= 500) return false;
  return ![401, 403, 404, 408, 429].includes(status);
}
