import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ApiError, answerError, type Call } from './api-error.ts';

/** 2xx: anything else, redirects among it, is a refusal. */
export function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300;
}

/** What an answer other than 2xx says. */
export async function refusal(call: Call, response: IncomingMessage): Promise<ApiError> {
  // The status says more than a body that is cut or huge: then it stands alone.
  const body = await readText(call, response, 64 * 1024).catch(() => '');
  return answerError(call, {
    status: response.statusCode ?? 0,
    retryAfter: response.headers['retry-after'],
    body,
  });
}

/** The text of an answer, unzipped; throws an ApiError when it has more than `maxBytes`. */
export async function readText(call: Call, response: IncomingMessage, maxBytes: number): Promise<string> {
  const zipped = response.headers['content-encoding'] === 'gzip';
  // The reader of the pipeline's end gets its error; the callback has nothing to add.
  const body: AsyncIterable<unknown> = zipped ? pipeline(response, createGunzip(), () => {}) : response;
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of body) {
    if (!Buffer.isBuffer(part)) continue;
    bytes += part.length;
    if (bytes > maxBytes) {
      throw new ApiError({
        ...call,
        reason: 'TooLarge',
        message: `an answer of more than ${maxBytes} bytes`,
      });
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** JSON, or an ApiError. */
export function parseJson(call: Call, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ApiError({ ...call, reason: 'Malformed', message: 'an answer that is no JSON', cause });
  }
}
