import { isIP } from 'node:net';
import type { Caller } from './access.ts';
import type { FrontProxyTrust } from './front-proxy-trust.ts';

/** Each line of a header, by its name in lower case: `headersDistinct` of a request. */
export type HeaderLines = Readonly<Record<string, readonly string[] | undefined>>;

/**
 * Whom the front proxy speaks for: undefined without a user, or where a value is not UTF-8. What counts is what
 * kube-apiserver's own extensions do (k8s.io/apiserver, pkg/authentication/request/headerrequest). Trust these headers
 * only behind a verified client certificate.
 */
export function callerOf(lines: HeaderLines, trust: FrontProxyTrust): Caller | undefined {
  try {
    const user = firstOf(lines, trust.userHeaders);
    if (user === '') return undefined;
    return {
      user,
      uid: firstOf(lines, trust.uidHeaders),
      groups: trust.groupHeaders.flatMap((name) => lines[name] ?? []).map(utf8),
      extra: extraOf(lines, trust.extraPrefixes),
      from: lastForwardedFor(lines['x-forwarded-for']),
    };
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function firstOf(lines: HeaderLines, names: readonly string[]): string {
  const value = names.flatMap((name) => lines[name] ?? []).find((each) => each !== '');
  return utf8(value ?? '');
}

function extraOf(lines: HeaderLines, prefixes: readonly string[]): Caller['extra'] {
  const extra = new Map<string, readonly string[]>();
  for (const prefix of prefixes) {
    for (const [name, values = []] of Object.entries(lines)) {
      if (!name.startsWith(prefix)) continue;
      const key = decodedKey(name.slice(prefix.length));
      extra.set(key, [...(extra.get(key) ?? []), ...values.map(utf8)]);
    }
  }
  // Sorted, so that equal callers are written alike. A key may be __proto__: fromEntries makes it a key like any other.
  return Object.fromEntries([...extra].toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

/** Percent-decoded; as it is where that is not possible, as in Go. */
function decodedKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

/** Node.js reads header values as Latin-1; the API server sends UTF-8. Throws a TypeError if they are not. */
function utf8(value: string): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(value, 'latin1'));
}

/** The client can choose all but the last, which the API server appends. */
function lastForwardedFor(values: readonly string[] = []): string {
  const last = values.at(-1)?.split(',').at(-1)?.trim() ?? '';
  return isIP(last) === 0 ? '' : last;
}
