import type { CaptureName } from '../captures/captures.ts';
import { type ListQuery, parseListQuery } from './list-query.ts';
import type { QueryParameters } from './query-parameters.ts';
import type { RequestPath } from './request-path.ts';
import { isStatusError, type StatusError, statusError } from './status-error.ts';
import type { Subresource } from './subresource-handler.ts';

/** What a request wants done. */
export type RequestPlan =
  | { readonly kind: 'get' | 'delete'; readonly capture: CaptureName }
  /** Undefined: of all namespaces. */
  | { readonly kind: 'list' | 'watch'; readonly namespace: string | undefined; readonly list: ListQuery }
  | { readonly kind: 'subresource'; readonly capture: CaptureName; readonly subresource: Subresource };

type ResourcePath = Extract<RequestPath, { readonly kind: 'captures' | 'capture' | 'subresource' }>;

/** Decides what a request for captures wants; what there is not is refused with what to do instead. */
export function planRequest(
  method: string,
  path: ResourcePath,
  query: QueryParameters,
): RequestPlan | StatusError {
  const isGet = method === 'GET';
  switch (path.kind) {
    case 'captures': {
      if (!isGet) return method === 'DELETE' ? onlyByName : onlyRead;
      const list = parseListQuery(query);
      if (isStatusError(list)) return list;
      return { kind: list.isWatch ? 'watch' : 'list', namespace: path.namespace, list };
    }
    case 'capture':
      if (isGet) return { kind: 'get', capture: path.capture };
      return method === 'DELETE' ? { kind: 'delete', capture: path.capture } : onlyRead;
    case 'subresource':
      return isGet ? path : statusError('MethodNotAllowed', `captures/${path.subresource} is only for GET`);
  }
}

const onlyByName = statusError(
  'MethodNotAllowed',
  'captures cannot be deleted all at once: delete them by name',
);
const onlyRead = statusError(
  'MethodNotAllowed',
  'captures are not created or changed here: annotate the Pod with tcpdump.antrea.io, or create a CapturePolicy',
);
