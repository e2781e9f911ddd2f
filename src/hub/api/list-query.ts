import { type LabelSelector, parseLabelSelector } from '../../kubernetes/label-selector.ts';
import { type FieldSelector, parseFieldSelector } from './field-selector.ts';
import type { QueryParameters } from './query-parameters.ts';
import { isStatusError, type StatusError, statusError } from './status-error.ts';

/** What a GET of the collection asks for. `limit`, `continue` and what is not known is ignored: all is always sent. */
export type ListQuery = {
  readonly isWatch: boolean;
  readonly labels: LabelSelector;
  readonly fields: FieldSelector;
  /** Undefined: unset. */
  readonly resourceVersion: bigint | undefined;
  readonly allowsBookmarks: boolean;
  /** Undefined: unset. */
  readonly sendsInitialEvents: boolean | undefined;
  /** Undefined: as long as the server wants. */
  readonly timeoutSeconds: number | undefined;
};

/** Reads the query of a list or watch. */
export function parseListQuery(query: QueryParameters): ListQuery | StatusError {
  const isWatch = flag(query, 'watch');
  const allowsBookmarks = flag(query, 'allowWatchBookmarks');
  const sendsInitialEvents = flag(query, 'sendInitialEvents');
  const resourceVersion = parseResourceVersion(query.get('resourceVersion'));
  const timeoutSeconds = parseSeconds(query.get('timeoutSeconds'));
  const labels = parseLabelSelector(query.get('labelSelector') ?? '');
  const fields = parseFieldSelector(query.get('fieldSelector') ?? '');
  if (isStatusError(resourceVersion)) return resourceVersion;
  if (isStatusError(timeoutSeconds)) return timeoutSeconds;
  if ('kind' in labels) return statusError('BadRequest', `labelSelector: ${labels.message}`);
  if (isStatusError(fields)) return fields;
  const parsed = {
    isWatch: isWatch ?? false,
    labels,
    fields,
    resourceVersion,
    allowsBookmarks: allowsBookmarks ?? false,
    sendsInitialEvents,
    timeoutSeconds,
  };
  return matchProblem(parsed, query.get('resourceVersionMatch') ?? '') ?? parsed;
}

/** By the rules of apimachinery (ValidateListOptions): a client that gets 422 for a watch lists instead. */
function matchProblem(query: ListQuery, match: string): StatusError | undefined {
  if (!['', 'Exact', 'NotOlderThan'].includes(match)) {
    return invalid('resourceVersionMatch must be Exact or NotOlderThan');
  }
  if (query.isWatch) {
    if (query.sendsInitialEvents === undefined) {
      return match === '' ? undefined : invalid('resourceVersionMatch of a watch needs sendInitialEvents');
    }
    if (match !== 'NotOlderThan') {
      return invalid('sendInitialEvents needs resourceVersionMatch=NotOlderThan');
    }
    if (query.sendsInitialEvents && !query.allowsBookmarks) {
      return invalid('sendInitialEvents=true needs allowWatchBookmarks=true');
    }
    return undefined;
  }
  if (query.sendsInitialEvents !== undefined) return invalid('sendInitialEvents is for watches only');
  if (match !== '' && query.resourceVersion === undefined) {
    return invalid('resourceVersionMatch needs resourceVersion');
  }
  return match === 'Exact'
    ? invalid('a list is always of now: resourceVersionMatch=Exact is not possible')
    : undefined;
}

/** As apimachinery reads it (Convert_Slice_string_To_bool): by the same rule, kube-apiserver takes a request for a watch. */
function flag(query: QueryParameters, name: string): boolean | undefined {
  const value = query.get(name)?.toLowerCase();
  return value === undefined ? undefined : value !== 'false' && value !== '0';
}

function parseResourceVersion(text: string | undefined): bigint | StatusError | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^[0-9]{1,20}$/.test(text)) return BigInt(text);
  return statusError('BadRequest', 'resourceVersion must be one that this API has sent, or 0');
}

function parseSeconds(text: string | undefined): number | StatusError | undefined {
  if (text === undefined) return undefined;
  if (/^[0-9]{1,9}$/.test(text)) return text === '0' ? undefined : Number(text);
  return statusError('BadRequest', 'timeoutSeconds must be a whole number');
}

function invalid(message: string): StatusError {
  return statusError('Invalid', message);
}
