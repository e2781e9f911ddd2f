import type { Capture } from '../../api/capture.ts';
import type { NamespaceAge } from '../access/served-capture.ts';
import { servedCapture } from '../access/served-capture.ts';
import type { CaptureScope, WatchStart } from '../captures/captures.ts';
import type { ApiCall, ApiSources } from './api-call.ts';
import type { ListQuery } from './list-query.ts';
import type { CaptureForm } from './rendered-captures.ts';
import { type StatusError, statusError } from './status-error.ts';

/** What the client of a watch may have from before: whether it is told that a capture is gone that is not served to it. */
export type ClientBefore = { readonly mayHave: (capture: Capture) => boolean };

export type BeginningWatch = {
  readonly scope: CaptureScope;
  readonly since: WatchStart;
  readonly form: CaptureForm;
  readonly list: Pick<ListQuery, 'allowsBookmarks'>;
};

/** Returns the error of a client that has to list again, because the watch would not tell it of every deletion. */
export async function clientBefore(
  { captures, namespaces }: ApiSources,
  { request, signal }: ApiCall,
  { scope, since, form, list }: BeginningWatch,
): Promise<ClientBefore | StatusError> {
  if (since.kind === 'now' || since.resourceVersion === undefined) return { mayHave: () => false };
  const known = captures.deletionsSince(since.resourceVersion);
  if (known === 'forgotten') return expired('is too old');
  // It keeps no copy, and ends with an error instead of listing again; where it goes on from bookmarks, it does list again.
  const isKubectl =
    form.representation.kind === 'table' ||
    (isKubectlAgent(request.headers['user-agent']) && !list.allowsBookmarks);
  if (known === 'uncertain' && !isKubectl) return expired('is of another replica, and this one is too young');
  if (scope.namespace === undefined) return { mayHave: () => true };
  const age = await namespaces.ageOf(scope.namespace, signal);
  const isOfFormer = age.kind === 'created' && captures.timeMsOf(since.resourceVersion) < age.atMs;
  // What it has is of a namespace whose captures nobody is told of any more, not even that they are gone.
  if (isOfFormer && !isKubectl) return expired('is older than the namespace');
  return { mayHave: (capture) => mayHave(capture, age) };
}

/**
 * Whether it may have been served in a namespace of that age. What is left of an earlier one of the same name is not named
 * to who may watch this one. In one that is gone, only who may watch all namespaces may watch.
 */
function mayHave(capture: Capture, age: NamespaceAge): boolean {
  if (age.kind === 'created') return servedCapture(capture, age) !== undefined;
  return age.kind === 'missing';
}

function expired(problem: string): StatusError {
  return statusError(
    'Expired',
    `the resourceVersion ${problem}: list the captures again, and watch from there`,
  );
}

/** Such as kubectl/v1.35.0 (linux/amd64) kubernetes/66452049. */
function isKubectlAgent(userAgent = ''): boolean {
  return userAgent.startsWith('kubectl/');
}
