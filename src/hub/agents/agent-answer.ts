import { type ClientHttp2Stream, constants } from 'node:http2';
import { Readable } from 'node:stream';
import { completeAnswerTrailer } from '../../link/protocol.ts';
import { AgentUnavailable } from './agent-link.ts';
import { streamWindowBytes } from './agent-session.ts';

/** What it takes to read a frame, in bytes: data of one byte in each of many frames is a flood. */
const frameCostBytes = 64;

/**
 * The body of an answer, read no faster than asked for. It ends only if the agent has said that it is complete;
 * otherwise it is destroyed with an AgentUnavailable: an HTTP/2 stream that was reset can look as if it had ended.
 */
export function bodyOf(stream: ClientHttp2Stream, node: string, onData: (bytes: number) => void): Readable {
  let isComplete = false;
  const body = new Readable({
    highWaterMark: 64 * 1024,
    read: () => void stream.resume(),
    destroy(error, done) {
      if (!stream.closed && !stream.readableEnded) stream.close(constants.NGHTTP2_CANCEL);
      done(error);
    },
  });
  const cut = (cause?: unknown) => {
    if (!body.destroyed) body.destroy(new AgentUnavailable(`the answer of Node ${node} was cut`, { cause }));
  };
  stream.pause();
  stream.once('response', (_headers, flags) => {
    isComplete = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
  });
  stream.on('trailers', (trailers) => {
    isComplete = trailers[completeAnswerTrailer] !== undefined;
  });
  stream.on('data', (bytes: Buffer) => {
    onData(bytes.length - frameCostBytes);
    if (!body.push(bytes)) stream.pause();
  });
  stream.on('end', () => {
    if (isComplete) body.push(null);
    else cut();
  });
  stream.on('error', cut);
  stream.on('close', () => {
    if (stream.readableEnded) return;
    // As much of it can have come, or be under way.
    onData(streamWindowBytes);
    cut();
  });
  return body;
}
