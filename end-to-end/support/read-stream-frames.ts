import { createHash } from 'node:crypto';
import {
  frameHeaderBytes,
  maxFrameBytes,
  type StreamEnd,
  type StreamFrame,
  type StreamGap,
} from '../../src/api/stream-frames.ts';

/** A stream of frames that was read to its end frame. */
export type FramedCapture = {
  /** Of all data frames. */
  readonly bytes: Buffer;
  readonly gaps: readonly StreamGap[];
  readonly heartbeats: number;
  readonly end: StreamEnd;
};

/** A stream that has come to its end, and is not what it should be. */
export class WrongBytes extends Error {
  override readonly name = 'WrongBytes';
}

/** Reads all frames; throws if the stream is cut, and WrongBytes if its end does not fit what was read. */
export async function readFramedCapture(stream: AsyncIterable<Uint8Array>): Promise<FramedCapture> {
  const data: Uint8Array[] = [];
  const gaps: StreamGap[] = [];
  let heartbeats = 0;
  let end: StreamEnd | undefined;
  for await (const frame of streamFrames(stream)) {
    if (end) throw new Error(`a frame of ${frame.kind} after the end`);
    if (frame.kind === 'data') data.push(frame.bytes);
    else if (frame.kind === 'gap') gaps.push(frame.gap);
    else if (frame.kind === 'end') end = frame.end;
    else heartbeats += 1;
  }
  if (!end) throw new Error('the stream was cut');
  const bytes = Buffer.concat(data);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (end.bytes !== bytes.length || end.sha256 !== sha256) {
    throw new WrongBytes(`${bytes.length} bytes with digest ${sha256}, not ${JSON.stringify(end)}`);
  }
  return { bytes, gaps, heartbeats, end };
}

/** The frames of a stream as they arrive. Throws on what is no frame, or half a one at the end. */
export async function* streamFrames(stream: AsyncIterable<Uint8Array>): AsyncGenerator<StreamFrame, void> {
  let left = Buffer.alloc(0);
  for await (const chunk of stream) {
    left = Buffer.concat([left, chunk]);
    for (;;) {
      if (left.length < frameHeaderBytes) break;
      const payloadBytes = left.readUInt32BE(1);
      if (payloadBytes > maxFrameBytes) throw new Error(`a frame of ${payloadBytes} bytes`);
      const frameBytes = frameHeaderBytes + payloadBytes;
      if (left.length < frameBytes) break;
      yield frameOf(left.readUInt8(0), left.subarray(frameHeaderBytes, frameBytes));
      left = left.subarray(frameBytes);
    }
  }
  if (left.length > 0) throw new Error(`the stream was cut in a frame: ${left.length} bytes of it`);
}

function frameOf(type: number, payload: Buffer): StreamFrame {
  switch (String.fromCharCode(type)) {
    case 'D':
      return { kind: 'data', bytes: Buffer.from(payload) };
    case 'H':
      return { kind: 'heartbeat' };
    case 'G':
      return { kind: 'gap', gap: JSON.parse(payload.toString('utf8')) };
    case 'E':
      return { kind: 'end', end: JSON.parse(payload.toString('utf8')) };
    default:
      throw new Error(`a frame of type ${type}`);
  }
}
