import * as v from 'valibot';
import {
  frameHeaderBytes,
  maxFrameBytes,
  type StreamEnd,
  type StreamGap,
  streamGapReasons,
} from '../../api/stream-frames.ts';

/** A frame, or a part of a data frame: those are passed on as they arrive. */
export type FramePart =
  | { readonly kind: 'data'; readonly bytes: Buffer }
  | { readonly kind: 'heartbeat' }
  | { readonly kind: 'gap'; readonly gap: StreamGap }
  | { readonly kind: 'end'; readonly end: StreamEnd };

/** What came is no frame that anybody sends. */
export class WrongFrame extends Error {}

/**
 * The frames in the bytes of a stream (src/api/stream-frames.ts). Bytes that end inside a frame end it without a word:
 * such a stream has no end frame either. Keeps one control frame at most.
 */
export async function* frameParts(chunks: AsyncIterable<Buffer>): AsyncGenerator<FramePart, void> {
  let state: FrameState = { kind: 'header', held: empty };
  for await (const chunk of chunks) {
    let rest = chunk;
    while (rest.length > 0) {
      const step = take(state, rest);
      ({ state, rest } = step);
      if (step.part) yield step.part;
    }
  }
}

type FrameState =
  | { readonly kind: 'header'; readonly held: Buffer }
  | { readonly kind: 'data'; readonly leftBytes: number }
  | {
      readonly kind: 'control';
      readonly type: ControlType;
      readonly payloadBytes: number;
      readonly held: readonly Buffer[];
      readonly heldBytes: number;
    };

type ControlType = 'gap' | 'end';

type Step = { readonly state: FrameState; readonly rest: Buffer; readonly part?: FramePart };

const empty = Buffer.alloc(0);
const nextHeader: FrameState = { kind: 'header', held: empty };

/** Takes what the state can take from the front of `bytes`, at least one. */
function take(state: FrameState, bytes: Buffer): Step {
  switch (state.kind) {
    case 'header':
      return takeHeader(state.held, bytes);
    case 'data': {
      const part = bytes.subarray(0, state.leftBytes);
      const leftBytes = state.leftBytes - part.length;
      return {
        state: leftBytes === 0 ? nextHeader : { kind: 'data', leftBytes },
        rest: bytes.subarray(part.length),
        part: { kind: 'data', bytes: part },
      };
    }
    case 'control':
      return takeControl(state, bytes);
  }
}

function takeHeader(held: Buffer, bytes: Buffer): Step {
  const missing = frameHeaderBytes - held.length;
  const header =
    held.length === 0 ? bytes.subarray(0, missing) : Buffer.concat([held, bytes.subarray(0, missing)]);
  const rest = bytes.subarray(Math.min(missing, bytes.length));
  if (header.length < frameHeaderBytes) return { state: { kind: 'header', held: Buffer.from(header) }, rest };
  const payloadBytes = header.readUInt32BE(1);
  if (payloadBytes > maxFrameBytes)
    throw new WrongFrame(`a frame of ${payloadBytes} bytes is longer than allowed`);
  const type = String.fromCharCode(header.readUInt8(0));
  switch (type) {
    case 'D':
      return { state: payloadBytes === 0 ? nextHeader : { kind: 'data', leftBytes: payloadBytes }, rest };
    case 'H':
      if (payloadBytes > 0) throw new WrongFrame(`a heartbeat with ${payloadBytes} bytes`);
      return { state: nextHeader, rest, part: { kind: 'heartbeat' } };
    case 'G':
    case 'E': {
      if (payloadBytes === 0) throw new WrongFrame(`a frame of type ${type} without content`);
      const control = type === 'G' ? 'gap' : 'end';
      return { state: { kind: 'control', type: control, payloadBytes, held: [], heldBytes: 0 }, rest };
    }
    default:
      throw new WrongFrame(`a frame of the unknown type ${JSON.stringify(type)}`);
  }
}

function takeControl(state: FrameState & { readonly kind: 'control' }, bytes: Buffer): Step {
  const part = bytes.subarray(0, state.payloadBytes - state.heldBytes);
  const rest = bytes.subarray(part.length);
  const held = [...state.held, part];
  const heldBytes = state.heldBytes + part.length;
  if (heldBytes < state.payloadBytes) return { state: { ...state, held, heldBytes }, rest };
  return { state: nextHeader, rest, part: controlPart(state.type, Buffer.concat(held).toString('utf8')) };
}

function controlPart(type: ControlType, text: string): FramePart {
  switch (type) {
    case 'gap':
      return { kind: 'gap', gap: parsed(gapSchema, text, 'a gap') };
    case 'end':
      return { kind: 'end', end: parsed(endSchema, text, 'an end') };
  }
}

function parsed<S extends v.GenericSchema>(schema: S, text: string, what: string): v.InferOutput<S> {
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), text);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new WrongFrame(
    `${what} that cannot be read: ${v.getDotPath(issue) ?? 'its content'}: ${issue.message}`,
  );
}

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const gapSchema = v.object({
  // A newer agent may have more reasons.
  reason: v.fallback(v.picklist(streamGapReasons), 'Unknown'),
  packets: v.exactOptional(count),
  bytes: v.exactOptional(count),
});
const endSchema = v.object({
  reason: v.string(),
  message: v.exactOptional(v.string()),
  isComplete: v.boolean(),
  bytes: count,
  packets: count,
  sha256: v.string(),
  dropped: v.exactOptional(count),
  lostAtStop: v.exactOptional(count),
  missed: v.exactOptional(count),
  unseen: v.exactOptional(count),
  pruned: v.exactOptional(count),
  notes: v.exactOptional(v.array(v.string())),
});
