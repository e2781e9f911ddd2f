import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ApiError, answerError, type Call } from './api-error.ts';

/** Whether the status is 2xx: anything else is a refusal, redirects too. */
export function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300;
}

/** The error for an answer other than 2xx. */
export async function refusal(call: Call, response: IncomingMessage): Promise<ApiError> {
  // Without a body that can be read, the status is enough.
  const body = await readText(call, response, 64 * 1024).catch(() => '');
  return answerError(call, {
    status: response.statusCode ?? 0,
    retryAfter: response.headers['retry-after'],
    body,
  });
}

/** The text of an answer, decompressed; throws an ApiError when it has more than `maxBytes`. */
export async function readText(call: Call, response: IncomingMessage, maxBytes: number): Promise<string> {
  const isCompressed = response.headers['content-encoding'] === 'gzip';
  // Reading the pipeline throws its error; the callback has nothing to add.
  const body: AsyncIterable<unknown> = isCompressed ? pipeline(response, createGunzip(), () => {}) : response;
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

/** Parses JSON; throws an ApiError if it is not valid. */
export function parseJson(call: Call, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ApiError({ ...call, reason: 'Malformed', message: 'an answer that is not JSON', cause });
  }
}
