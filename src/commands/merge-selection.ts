import { createDecoder } from '../pcap/decode/decoder.ts';
import { type CapturePoint, conversationSides } from '../pcap/merge/conversation-sides.ts';
import type { MergeCaptures } from '../pcap/merge/merge-captures.ts';
import { isInRange } from './capture-options.ts';
import type { MergeArguments } from './merge-arguments.ts';
import type { ScannedCapture } from './merge-inputs.ts';

type Selection = Pick<MergeArguments, 'side' | 'since' | 'until'> & {
  readonly captures: readonly ScannedCapture[];
  /** Whether an input has begun and not ended. */
  readonly isCapturing: (input: number) => boolean;
};

/** Which packets are merged: those in the range of time, and of that side. */
export function packetSelection({ captures, isCapturing, ...options }: Selection): MergeCaptures['keeps'] {
  const { side, since, until } = options;
  const isTimed = since !== undefined || until !== undefined;
  const isOfSide = side && sideSelection({ side, captures, isCapturing });
  return (packet, input, description) => {
    if (isTimed && !isInRange(options, packet)) return false;
    return isOfSide ? isOfSide(packet, input, description) : true;
  };
}

function sideSelection({
  side,
  captures,
  isCapturing,
}: Pick<Selection, 'captures' | 'isCapturing'> & {
  readonly side: NonNullable<MergeArguments['side']>;
}): MergeCaptures['keeps'] {
  const points: CapturePoint[] = [];
  const firstPoint = captures.map(({ own }, input) => {
    const first = points.length;
    for (const { addresses } of own ?? []) points.push({ addresses, isCapturing: () => isCapturing(input) });
    return first;
  });
  const isOfSide = conversationSides(side, points);
  const { decode } = createDecoder();
  return (packet, input, { linkType }) => {
    const { interfaceIndex } = packet;
    // An interface that was described later than the first packets belongs to nobody known.
    const isKnown = interfaceIndex < (captures[input]?.own?.length ?? 0);
    return !isKnown || isOfSide(decode(packet, linkType), (firstPoint[input] ?? 0) + interfaceIndex);
  };
}
