import type { IncomingMessage } from 'node:http';
import { readBodyText } from '../api/read-body.ts';
import { UnreachableServer } from '../api/unreachable-server.ts';

/**
 * What kubectl proxy itself answered instead of the API server, as an error to throw; undefined for an answer of the
 * API server, all of which have an Audit-Id.
 */
export async function proxyRefusal(response: IncomingMessage, path: string): Promise<Error | undefined> {
  const { statusCode = 0, headers } = response;
  const isText = headers['content-type']?.startsWith('text/plain') === true;
  if (headers['audit-id'] !== undefined || !isText) return undefined;
  // Of any request that does not get through, a login that fails too (kubectl, proxy_server.go).
  if (statusCode === 500) return new UnreachableServer(await readBodyText(response, mostBytes));
  if (statusCode !== 403) return undefined;
  response.destroy();
  return new Error(`the command did not ask kubectl proxy to accept its request of ${path}`);
}

const mostBytes = 64 * 1024;
