import { type StatusError, statusError } from './status-error.ts';

/** The parameters of a request's query, decoded; each occurs once. */
export type QueryParameters = ReadonlyMap<string, string>;

/** More is no request of a client of Kubernetes: a filter of tcpdump has at most 8,192 characters. */
const bounds = { textBytes: 32 * 1024, parameters: 32 } as const;

/**
 * The parameters of a query (what follows the `?`), as application/x-www-form-urlencoded. Refused: more than the bounds,
 * what cannot be decoded, control characters, and a parameter with two different values.
 */
export function parseQuery(text: string): QueryParameters | StatusError {
  if (text.length > bounds.textBytes) return badRequest(`the query is longer than ${bounds.textBytes} bytes`);
  const parts = text.split('&').filter((part) => part !== '');
  if (parts.length > bounds.parameters) {
    return badRequest(`the query has more than ${bounds.parameters} parameters`);
  }
  const parameters = new Map<string, string>();
  for (const part of parts) {
    const equals = part.indexOf('=');
    const name = decoded(equals < 0 ? part : part.slice(0, equals));
    const value = decoded(equals < 0 ? '' : part.slice(equals + 1));
    if (name === undefined || value === undefined || name === '') {
      return badRequest('the query has a parameter that is not URL-encoded UTF-8 text');
    }
    if ((parameters.get(name) ?? value) !== value) {
      return badRequest(`the query has the parameter ${JSON.stringify(name)} twice, with different values`);
    }
    parameters.set(name, value);
  }
  return parameters;
}

/** A value of a query in an error. */
export function quotedValue(text: string): string {
  return JSON.stringify(text.length <= 100 ? text : `${text.slice(0, 100)}...`);
}

function decoded(text: string): string | undefined {
  try {
    const plain = decodeURIComponent(text.replaceAll('+', ' '));
    return controlCharacter.test(plain) ? undefined : plain;
  } catch {
    return undefined;
  }
}

const controlCharacter = /\p{Cc}/u;

function badRequest(message: string): StatusError {
  return statusError('BadRequest', message);
}
