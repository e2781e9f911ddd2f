import { apiGroup } from '../../api/capture.ts';
import { type StatusError, statusError } from '../api/status-error.ts';
import type { Caller, ResourceAttributes } from './access.ts';

/** The wording of what a caller may not do. `maySee`: may get the capture, which the words say then. */
export function forbidden(
  { user }: Caller,
  attributes: ResourceAttributes,
  { maySee }: { readonly maySee: boolean },
): StatusError {
  const { verb, namespace, name } = attributes;
  const where = namespace === '' ? 'in all namespaces' : `in namespace ${namespace}`;
  const missing = `verb ${verb} on captures.${apiGroup} ${where}`;
  const action = actions[verb];
  const message =
    action === undefined
      ? `user ${JSON.stringify(user)} may not ${verb} captures: ${missing}`
      : maySee
        ? `you may see captures in ${namespace}, but not ${action} them: ${missing}`
        : `you may not ${action} captures in ${namespace}: ${missing}`;
  return {
    kind: 'error',
    code: 403,
    reason: 'Forbidden',
    message: name === '' ? message : `${message}, or for ${name} alone`,
  };
}

/** Undefined: the verb is its own word. */
const actions: Readonly<Record<string, string | undefined>> = { download: 'download', tap: 'tap' };

export const authorizationUnavailable: StatusError = statusError(
  'ServiceUnavailable',
  'the hub cannot ask the API server what you may do, so it allows nothing: try again, and if that lasts, ' +
    'look at the log of the hub',
  5,
);

/** The namespace of a stream could not be checked: bytes are not served on a guess. */
export function namespaceUnchecked(namespace: string): StatusError {
  return statusError(
    'ServiceUnavailable',
    `the hub cannot ask the API server since when namespace ${namespace} exists, ` +
      'so it serves nothing of it: try again, and if that lasts, look at the log of the hub',
    5,
  );
}
