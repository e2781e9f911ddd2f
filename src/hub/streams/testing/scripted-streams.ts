import type { ServerHttp2Stream } from 'node:http2';
import { captureFileMediaType } from '../../../api/stream-frames.ts';
import { respondUntilComplete } from '../../../link/complete-answer.ts';
import type { TestAgentHandler } from '../../testing/test-agent.ts';

/** An agent's answer with these bytes, whole. */
export function sends(...parts: readonly (Uint8Array | string)[]): TestAgentHandler {
  return (stream) => {
    startStream(stream);
    for (const part of parts) stream.write(part);
    stream.end();
  };
}

/** Sends some bytes, and nothing more. */
export function goesOn(stream: ServerHttp2Stream): void {
  startStream(stream);
  stream.write('packets');
}

/** The head of an answer with the bytes of a capture. */
export function startStream(stream: ServerHttp2Stream, contentType: string = captureFileMediaType): void {
  respondUntilComplete(stream, { ':status': 200, 'content-type': contentType });
}

/** An agent's answer that it does not give the bytes. */
export function refuses(status: number, reason: string, message: string): TestAgentHandler {
  return (stream) => {
    respondUntilComplete(stream, { ':status': status, 'content-type': 'application/json' });
    stream.end(JSON.stringify({ reason, message }));
  };
}
