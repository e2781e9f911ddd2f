import { readFile } from 'node:fs/promises';
import type { Credentials } from './client-config.ts';

/** The token that goes with a request, read again as it rotates. */
export type BearerToken = {
  /** The token, or nothing when a client certificate speaks for us. Throws only when none was ever read. */
  readonly read: () => Promise<string | undefined>;
  /** After a 401: the next `read` goes to the file. */
  readonly expire: () => void;
};

// The kubelet rotates a token at 80 % of its life, so minutes would do (client-go: 1); a stat-sized read is cheap, and
// a token that was replaced by hand or after a CA rotation is used 10 s later.
const keepMs = 10_000;

/** As client-go's cachingTokenSource: a file that cannot be read for a moment leaves the last token in use. */
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
      if (token === undefined || now() - readAt >= keepMs) {
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
    if (token !== '') return token;
    throw new Error('the file is empty');
  } catch (cause) {
    if (last !== undefined) return last;
    throw new Error(`cannot read the token in ${path}`, { cause });
  }
}
