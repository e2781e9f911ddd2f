import { type ApiError, resourceVersionTooLarge } from './api-error.ts';

/** resourceVersion: where a watch goes on; for a list '0' is the server's cache, undefined is the newest there is. */
export type Step =
  | { readonly kind: 'list'; readonly resourceVersion: '0' | undefined; readonly whole?: boolean }
  | { readonly kind: 'watch'; readonly resourceVersion: string };

/** How a list or a watch ended, where it got to, and how long the watch lived. */
export type End = { readonly livedMs: number } & (
  | { readonly kind: 'listed'; readonly resourceVersion: string }
  | { readonly kind: 'closed'; readonly resourceVersion: string }
  | { readonly kind: 'failed'; readonly resourceVersion: string | undefined; readonly error: ApiError }
);

/** What follows: a watch goes on from where it got to whenever that can work, and only then is there no list. */
export function nextStep(step: Step, end: End): Step {
  if (end.kind !== 'failed') return { kind: 'watch', resourceVersion: end.resourceVersion };
  if (step.kind === 'list') {
    // Pages that expired while they were read would do so again: without a limit there is one.
    if (end.error.status === 410) return { kind: 'list', resourceVersion: undefined, whole: true };
    // The cache's list is one page, whatever the limit.
    return end.error.reason === 'TooLarge' ? { kind: 'list', resourceVersion: undefined } : step;
  }
  if (end.resourceVersion === undefined || cannotResume(end.error))
    return { kind: 'list', resourceVersion: undefined };
  return { kind: 'watch', resourceVersion: end.resourceVersion };
}

/** The server, or a line that cannot be read, says that a watch from here will never work. */
function cannotResume({ status, reason }: ApiError): boolean {
  if (reason === 'Malformed' || reason === 'TooLarge' || reason === resourceVersionTooLarge) return true;
  if (status === undefined || status >= 500) return false;
  return ![401, 403, 404, 408, 429].includes(status);
}
