import type { CaptureInterface } from '../pcap/capture-interface.ts';
import { createDecoder } from '../pcap/decode/decoder.ts';
import { conversationSides } from '../pcap/merge/conversation-sides.ts';
import type { MergeCaptures, PacketSequence } from '../pcap/merge/merge-captures.ts';
import { OneSidedPackets, type SidedPacket, type SideOf } from '../pcap/merge/one-sided-packets.ts';
import { packetIdentity } from '../pcap/merge/packet-identity.ts';
import { isInRange } from '../pcap/time-range.ts';
import { ringBase } from './input-names.ts';
import type { MergeArguments } from './merge-arguments.ts';
import type { ScannedCapture } from './merge-inputs.ts';
import { lateProblem } from './side-problems.ts';

type Selection = Pick<MergeArguments, 'side' | 'since' | 'until'> & {
  readonly merged: PacketSequence;
  readonly captures: readonly ScannedCapture[];
  /** Something that --side cannot do, which was not known before. */
  readonly onSideProblem: (problem: string) => void;
};

/** Which packets are merged: those in the range of time, and of that side. */
export function packetSelection({
  merged,
  ...selection
}: Selection): Pick<MergeCaptures, 'merged' | 'keeps'> {
  const { side, since, until } = selection;
  const isTimed = since !== undefined || until !== undefined;
  const keepsTime = (packet: Parameters<SideOf>[0]) => !isTimed || isInRange(selection, packet);
  if (side === undefined) return { merged, keeps: keepsTime };
  const sideOf = packetSides({ ...selection, side });
  const oneSided = new OneSidedPackets(merged, (packet, input, description) =>
    keepsTime(packet) ? sideOf(packet, input, description) : alone,
  );
  return { merged: oneSided, keeps: (packet) => !oneSided.isDuplicate && keepsTime(packet) };
}

const alone: SidedPacket = { kind: 'alone' };

type Place = { readonly number: number; readonly own: ReadonlySet<string> };
const nowhere: Place = { number: -1, own: new Set() };

/** An interface of an input, and whose it is. */
type Located = { readonly input: number; readonly index: number; readonly own: ReadonlySet<string> };

/** Numbers the places where packets are captured. The files of one ring, which follow each other, are one place. */
function places(
  captures: readonly ScannedCapture[],
  addOwner: (own: ReadonlySet<string>) => void,
): (located: Located) => Place {
  const seen = new Map<string, number>();
  const rings = captures.map(({ capture: { name } }) => {
    const times = seen.get(name) ?? 0;
    seen.set(name, times + 1);
    // The same file, given again, is another one.
    return JSON.stringify([ringBase(name), times]);
  });
  const numbers = new Map<string, number>();
  return ({ input, index, own }) => {
    addOwner(own);
    const key = `${rings[input] ?? input} ${index}`;
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return { number, own };
  };
}

function packetSides({
  side,
  captures,
  onSideProblem,
}: Pick<Selection, 'captures' | 'onSideProblem'> & {
  readonly side: NonNullable<MergeArguments['side']>;
}): SideOf {
  const { addOwner, sideOf } = conversationSides(side);
  const { decode } = createDecoder();
  const placeOf = places(captures, addOwner);
  const known = captures.map(({ own = [] }, input) =>
    own.map(({ addresses }, index) => placeOf({ input, index, own: addresses })),
  );

  /** An interface that was described after the start of the capture, which was looked at. */
  function latePlace({ input, index }: Omit<Located, 'own'>, description: CaptureInterface): Place {
    const capture = captures[input];
    // What a stream is, was said before.
    if (!capture?.own) return nowhere;
    const { addresses = [] } = description;
    if (addresses.length === 0) onSideProblem(lateProblem(capture.capture.name, description));
    return placeOf({ input, index, own: new Set(addresses) });
  }

  return (packet, input, description) => {
    const ofInput = known[input] ?? [];
    const index = packet.interfaceIndex;
    const { number, own } = (ofInput[index] ??= latePlace({ input, index }, description));
    if (own.size === 0) return alone;
    const identity = packetIdentity(packet, description.linkType);
    if (!identity) return alone;
    const end = sideOf(decode(packet, description.linkType), own, identity.fragment);
    if (end === undefined) return alone;
    return { kind: end === side ? 'kept' : 'other', identity, place: number };
  };
}
