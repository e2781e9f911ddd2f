import { createHash } from 'node:crypto';
import type { ServerHttp2Stream } from 'node:http2';
import {
  captureFileMediaType,
  controlFrame,
  dataFrameHeader,
  framesMediaType,
  type StreamEnd,
  type StreamGap,
} from '../../../api/stream-frames.ts';
import { respondUntilComplete } from '../../../link/complete-answer.ts';

/** Where a tap writes to. Nothing waits: who writes looks at `pendingBytes` first. */
export type TapSink = {
  /** What the reader has not taken yet. */
  readonly pendingBytes: () => number;
  /** Bytes of the capture file, at most maxFrameBytes, which the sink keeps. */
  readonly data: (bytes: Uint8Array) => void;
  /** Says in frames what a capture file says with its next packet. */
  readonly gap: (gap: StreamGap) => void;
  /** Shows in frames that the stream is alive; undefined: only data can. */
  readonly heartbeat: (() => void) | undefined;
  /** Ends it; in frames, with the end, and the capture file as it is only if it is complete: otherwise it is cut. */
  readonly end: (end: Omit<StreamEnd, 'bytes' | 'sha256'>) => void;
};

/** Sends the head of the answer: frames if `accept` asks for them. A stream that is gone takes nothing. */
export function tapSink(stream: ServerHttp2Stream, accept: string | undefined): TapSink {
  const isFrames = accept?.includes(framesMediaType) === true;
  const contentType = isFrames ? framesMediaType : captureFileMediaType;
  respondUntilComplete(stream, { ':status': 200, 'content-type': contentType });
  const write = (bytes: Uint8Array) => {
    if (stream.writable) stream.write(bytes);
  };
  const pendingBytes = () => stream.writableLength;
  const end = (complete: boolean, last?: Uint8Array) => {
    if (!complete) stream.destroy();
    else if (stream.writable) stream.end(last);
  };
  return isFrames ? framesSink({ write, pendingBytes, end }) : fileSink({ write, pendingBytes, end });
}

type Output = Pick<TapSink, 'pendingBytes'> & {
  readonly write: (bytes: Uint8Array) => void;
  readonly end: (isComplete: boolean, last?: Uint8Array) => void;
};

function fileSink({ write, pendingBytes, end }: Output): TapSink {
  return {
    pendingBytes,
    data: write,
    gap() {},
    heartbeat: undefined,
    end: ({ isComplete }) => end(isComplete),
  };
}

function framesSink({ write, pendingBytes, end }: Output): TapSink {
  const digest = createHash('sha256');
  let sentBytes = 0;
  return {
    pendingBytes,
    data(bytes) {
      digest.update(bytes);
      sentBytes += bytes.length;
      write(dataFrameHeader(bytes.length));
      write(bytes);
    },
    gap: (gap) => write(controlFrame({ kind: 'gap', gap })),
    heartbeat: () => write(controlFrame({ kind: 'heartbeat' })),
    end(last) {
      const frame = { ...last, bytes: sentBytes, sha256: digest.digest('hex') };
      end(true, controlFrame({ kind: 'end', end: frame }));
    },
  };
}
