import { readFile } from 'node:fs/promises';
import type { Credentials } from './client-config.ts';

/** The token for a request; a token file is read again as the kubelet rotates it. */
export type BearerToken = {
  /** The token, or undefined with a client certificate. Throws only when no token was ever read. */
  readonly read: () => Promise<string | undefined>;
  /** After a 401: the next `read` reads the file. */
  readonly expire: () => void;
};

// The kubelet rotates a token at 80 % of its lifetime, so minutes would do (client-go: 1). But so small a file is cheap
// to read, and a token that was replaced by hand or after a CA rotation is in use 10 s later.
const cacheMs = 10_000;

/** Like client-go's cachingTokenSource: while the file cannot be read, the last token stays in use. */
export function bearerToken(
  credentials: Credentials,
  now: () => number = () => performance.now(),
): BearerToken {
  let token: string | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  return {
    async read() {
      if (credentials.kind === 'client-certificate') return undefined;
      if (credentials.kind === 'token') return credentials.token;
      if (token === undefined || now() - readAt >= cacheMs) {
        token = await readToken(credentials.path, token);
        readAt = now();
      }
      return token;
    },
    expire() {
      readAt = Number.NEGATIVE_INFINITY;
    },
  };
}

async function readToken(path: string, last: string | undefined): Promise<string> {
  try {
    const token = (await readFile(path, 'utf8')).trim();
    if (token === '') throw new Error('the file is empty');
    // An HTTP header cannot have them: half a file, or another one.
    if (!/^[\x21-\x7e]+$/.test(token)) throw new Error('the file has characters that no token has');
    return token;
  } catch (cause) {
    if (last !== undefined) return last;
    throw new Error(`cannot read the token in ${path}`, { cause });
  }
}
