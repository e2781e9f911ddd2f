import { type ApiError, resourceVersionTooLarge } from './api-error.ts';

/**
 * What is requested next. `resourceVersion` is where a watch resumes; for a list, '0' means the server's cache as it is,
 * another one that nothing older will do, and undefined the newest version, for which older servers read all of etcd.
 */
export type WatchStep =
  | {
      readonly kind: 'list';
      readonly resourceVersion: string | undefined;
      /** How many objects a page has, 1 at least; Infinity: all of them. */
      readonly pageItems?: number;
    }
  /** serverErrors: how many times in a row the server has answered 5xx. */
  | { readonly kind: 'watch'; readonly resourceVersion: string; readonly serverErrors?: number };

/** How a list or a watch ended, up to which version, how long the watch was open and whether it brought any event. */
export type WatchEnd = { readonly openMs: number; readonly hadEvents: boolean } & (
  | { readonly kind: 'listed'; readonly resourceVersion: string }
  | { readonly kind: 'closed'; readonly resourceVersion: string }
  | { readonly kind: 'failed'; readonly resourceVersion: string | undefined; readonly error: ApiError }
);

/** The next step: a watch from the last version wherever that can work, and only otherwise a list. */
export function nextWatchStep(step: WatchStep, end: WatchEnd): WatchStep {
  if (end.kind !== 'failed') return { kind: 'watch', resourceVersion: end.resourceVersion };
  if (step.kind === 'list') {
    // Pages that expired while they were read would expire again. Without a limit there is only one.
    if (end.error.reason === 'TooLarge') return smallerList(step);
    // A version that the server does not have, or has no more.
    if (isNotOlderThan(step) && refusesVersion(end.error))
      return { kind: 'list', resourceVersion: undefined };
    if (end.error.status === 410)
      return { kind: 'list', resourceVersion: undefined, pageItems: step.pageItems ?? Infinity };
    return step;
  }
  // A server that was restarted answers all watches so, those of every Node: its cache has what all of them need.
  if (end.error.status === 410) return { kind: 'list', resourceVersion: end.resourceVersion };
  const serverErrors = (end.error.status ?? 0) >= 500 ? (step.serverErrors ?? 0) + 1 : 0;
  if (end.resourceVersion === undefined || serverErrors >= maxServerErrors || cannotResume(end)) {
    return { kind: 'list', resourceVersion: undefined };
  }
  return { kind: 'watch', resourceVersion: end.resourceVersion, serverErrors };
}

function isNotOlderThan({ resourceVersion }: WatchStep): boolean {
  return resourceVersion !== undefined && resourceVersion !== '0';
}

function refusesVersion({ status, reason }: ApiError): boolean {
  return reason === resourceVersionTooLarge || (status !== undefined && [400, 410].includes(status));
}

/** Anyone can create Pods of 1.5 MB. One of them fits into a page. */
function smallerList({ resourceVersion, pageItems }: WatchStep & { kind: 'list' }): WatchStep {
  // The server sends a list from its cache as one page, whatever the limit.
  const isWhole = resourceVersion !== undefined || pageItems === Infinity;
  const smaller = isWhole ? defaultPageItems : Math.max(1, Math.floor((pageItems ?? defaultPageItems) / 4));
  return { kind: 'list', resourceVersion: undefined, pageItems: smaller };
}

export const defaultPageItems = 100;

// The server answers 500 to a resourceVersion that it cannot parse (1.36), so repeated 500s may be about ours.
const maxServerErrors = 5;

/** Whether the server, or a line that cannot be parsed, shows that a watch from here will never work. */
function cannotResume({ error: { status, reason }, hadEvents }: WatchEnd & { kind: 'failed' }): boolean {
  // After a restore of etcd the server (1.36) accepts a watch from a future version and sends nothing, not a bookmark.
  if (reason === 'Silent' && !hadEvents) return true;
  if (reason === 'Malformed' || reason === 'TooLarge' || reason === resourceVersionTooLarge) return true;
  if (status === undefined || status >= 500) return false;
  return ![401, 403, 404, 408, 429].includes(status);
}
