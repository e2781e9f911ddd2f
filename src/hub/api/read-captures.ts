import type { Capture } from '../../api/capture.ts';
import { selectsLabels } from '../../kubernetes/label-selector.ts';
import type { ResourceAttributes } from '../access/access.ts';
import type { CaptureName, CaptureScope } from '../captures/captures.ts';
import type { ApiCall, ApiSources } from './api-call.ts';
import { sendJson, sendPieces } from './api-response.ts';
import type { IncludeObject } from './capture-table.ts';
import { selectedName, selectsFields } from './field-selector.ts';
import type { ListQuery } from './list-query.ts';
import { type CaptureForm, captureText, listPieces } from './rendered-captures.ts';
import { chooseRepresentation, type ReadKind } from './representation.ts';
import { isStatusError, type StatusError, statusError } from './status-error.ts';
import { incompleteWarning } from './warning-header.ts';

/** Answers a GET of one capture, or returns the error to answer with. */
export async function getCapture(
  sources: ApiSources,
  call: ApiCall,
  name: CaptureName,
): Promise<StatusError | undefined> {
  const forbidden = await sources.access.authorize(call.caller, { verb: 'get', ...name }, call.signal);
  if (forbidden) return forbidden;
  const form = formOf(call, 'get');
  if (isStatusError(form)) return form;
  const { capture, unchecked } = await visibleCapture(sources, name, call.signal);
  if (!capture) return captureNotFound(name);
  const warning = incompleteWarning([], unchecked);
  if (warning !== undefined) call.response.setHeader('warning', warning);
  sendJson(call.response, captureText(capture, form, Date.now()));
  return undefined;
}

/** Answers a list, or returns the error to answer with. */
export async function listCaptures(
  sources: ApiSources,
  call: ApiCall,
  { namespace, list }: { readonly namespace: string | undefined; readonly list: ListQuery },
): Promise<StatusError | undefined> {
  const scope = scopeOf(namespace, list);
  const forbidden = await sources.access.authorize(call.caller, attributesOf('list', scope), call.signal);
  if (forbidden) return forbidden;
  const form = formOf(call, 'list');
  if (isStatusError(form)) return form;
  const { signal } = call;
  const snapshot = await sources.captures.list(scope, { signal });
  const selected = snapshot.items.filter(
    ({ metadata }) => selectsFields(list.fields, metadata) && selectsLabels(list.labels, metadata.labels),
  );
  const { captures: items, unchecked } = await sources.namespaces.visible(selected, signal);
  const warning = incompleteWarning(snapshot.missingNodes, unchecked);
  const listing = { items, resourceVersion: snapshot.resourceVersion };
  await sendPieces(call, listPieces(listing, form, Date.now()), {
    ...(warning !== undefined && { warning }),
  });
  return undefined;
}

export type VisibleCapture = {
  /** As it may be served; undefined if there is none. */
  readonly capture: Capture | undefined;
  /** Its namespace, if that could not be checked. */
  readonly unchecked: readonly string[];
};

/** Looks for a capture that may be served. */
export async function visibleCapture(
  { captures, namespaces }: ApiSources,
  name: CaptureName,
  signal: AbortSignal,
): Promise<VisibleCapture> {
  const capture = await captures.get(name, { signal });
  if (!capture) return { capture, unchecked: [] };
  const { captures: visible, unchecked } = await namespaces.visible([capture], signal);
  return { capture: visible[0], unchecked };
}

/** In the words of kube-apiserver, which kubectl and scripts know. */
export function captureNotFound({ name }: CaptureName): StatusError {
  return statusError('NotFound', `captures.podcap.dev ${JSON.stringify(name)} not found`);
}

/** A selector for one name narrows what is looked at, and what the caller needs to be allowed. */
export function scopeOf(namespace: string | undefined, { fields }: ListQuery): CaptureScope {
  return { namespace, name: selectedName(fields) };
}

/** What a list or watch needs to be allowed. */
export function attributesOf(
  verb: 'list' | 'watch',
  { namespace = '', name = '' }: CaptureScope,
): ResourceAttributes {
  return { verb, namespace, name };
}

/** How the client wants captures written. */
export function formOf({ request, query }: ApiCall, read: ReadKind): CaptureForm | StatusError {
  const representation = chooseRepresentation(request.headers.accept, read);
  if (!representation) {
    return statusError(
      'NotAcceptable',
      'captures are served as application/json, also as Table and PartialObjectMetadata of meta.k8s.io v1 and v1beta1: ask for one of them in Accept',
    );
  }
  const include = query.get('includeObject') || 'Metadata';
  if (!isIncludeObject(include)) {
    return statusError('BadRequest', 'includeObject must be None, Metadata or Object');
  }
  return { representation, include };
}

function isIncludeObject(text: string): text is IncludeObject {
  return text === 'None' || text === 'Metadata' || text === 'Object';
}
