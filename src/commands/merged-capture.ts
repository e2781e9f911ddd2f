import type { CaptureInterface } from '../pcap/capture-interface.ts';
import type { InputCounts } from '../pcap/merge/input-counts.ts';
import { type MergeCaptures, type MergeEnd, mergeCaptures } from '../pcap/merge/merge-captures.ts';
import type { Gap } from '../pcap/merge/merge-input.ts';
import { MergedPackets } from '../pcap/merge/merged-packets.ts';
import type { Damage } from '../pcap/packet-reader.ts';
import { captureWriter } from '../pcap/write/capture-writer.ts';
import type { PacketWriter } from '../pcap/write/packet-writer.ts';
import { isFinerThanMicroseconds } from '../pcap/write/pcap-writer.ts';
import { addressNames } from './address-names.ts';
import { inputNames, namedInterface } from './input-names.ts';
import { type InputStatistics, inputStatistics } from './input-statistics.ts';
import { type MergeArguments, slowAfterMs } from './merge-arguments.ts';
import { type EmptyCapture, mergeInputs, type ScannedCapture } from './merge-inputs.ts';
import { packetSelection } from './merge-selection.ts';

/** Captures that were looked at, as one file in the order of their packets' times. */
export type MergedCapture = AsyncDisposable & {
  /** Each chunk is valid until the one after the next is requested. */
  readonly chunks: AsyncGenerator<Uint8Array, MergeEnd>;
  /** What happened to each capture that has packets. */
  readonly counts: readonly InputCounts[];
};

export type MergedCaptureOptions = {
  readonly options: Pick<MergeArguments, 'format' | 'side' | 'since' | 'until' | 'names' | 'waitSeconds'>;
  readonly captures: readonly ScannedCapture[];
  readonly empty: readonly EmptyCapture[];
  /** What a pcapng says of itself at its start. */
  readonly comment?: string;
  readonly onGap: (gap: Gap) => void;
  readonly onDamage: (damage: readonly Damage[]) => void;
  /** Something that --side cannot do, which was not known before. */
  readonly onSideProblem: (problem: string) => void;
};

/** Merges the captures as the chunks are requested. Disposing of it closes what is open. */
export function mergedCapture(work: MergedCaptureOptions): MergedCapture {
  const { options, captures, onSideProblem } = work;
  const describe = describeWith(work);
  const counted = inputStatistics();
  // pcap has no place for what has no packets.
  const idle = options.format === 'pcap' ? [] : idleInterfaces({ ...work, describe, counted });
  const merged = mergedPackets({ ...work, describe, counted });
  const chunks = mergeCaptures({
    ...packetSelection({ ...options, merged, captures, onSideProblem }),
    writer: writerOf({ ...work, describe }),
    interfaces: [
      ...captures.flatMap((capture, input) =>
        described(capture, options).map((each) => describe(input, each)),
      ),
      ...idle,
    ],
    describe,
    droppedBefore: () => 0,
    known: counted.known,
  });
  return {
    chunks,
    counts: merged.counts,
    [Symbol.asyncDispose]: () => merged[Symbol.asyncDispose](),
  };
}

/** pcap has no interfaces: one of another link type, of which there is no packet, does no harm. */
function described(
  { interfaces, firstInterface }: ScannedCapture,
  { format }: Pick<MergeArguments, 'format'>,
): readonly CaptureInterface[] {
  const linkType = interfaces[firstInterface]?.linkType;
  return format === 'pcap' ? interfaces.filter((each) => each.linkType === linkType) : interfaces;
}

type DescribedMerge = MergedCaptureOptions & { readonly describe: MergeCaptures['describe'] };
type CountedMerge = DescribedMerge & { readonly counted: InputStatistics };

/** Gives an interface without a name that of its capture. */
function describeWith({ captures, empty }: MergedCaptureOptions): MergeCaptures['describe'] {
  const names = inputNames([
    ...captures.map(({ capture }) => capture.name),
    ...empty.map(({ name }) => name),
  ]);
  return (input, description) => namedInterface(description, names[input] ?? '');
}

function mergedPackets({
  captures,
  options,
  onGap,
  onDamage,
  describe,
  counted,
}: CountedMerge): MergedPackets {
  const { inputs, ended } = mergeInputs(captures);
  return new MergedPackets(inputs, {
    ...(areFiles(captures)
      ? { slowAfterMs: Infinity }
      : { slowAfterMs, silentAfterMs: options.waitSeconds * 1_000 }),
    onGap,
    onEnd(input) {
      const reader = ended(input);
      if (!reader) return;
      counted.add(reader, (description) => describe(input, description));
      onDamage(reader.damage);
    },
  });
}

function writerOf({ captures, options, comment, describe }: DescribedMerge): PacketWriter {
  const isFine = captures.some(({ interfaces }) => interfaces.some(isFinerThanMicroseconds));
  const writer = captureWriter(options.format, { isFine, ...(comment !== undefined && { comment }) });
  const podNames = options.names ? addressNames(captures, describe) : [];
  if (podNames.length > 0) writer.writeNames(podNames);
  return writer;
}

/** The interfaces of captures without packets, as in the output; counts what they say. They follow the other inputs. */
function idleInterfaces({ empty, captures, describe, counted }: CountedMerge): readonly CaptureInterface[] {
  return empty.flatMap(({ reader }, at) => {
    const named = (description: CaptureInterface) => describe(captures.length + at, description);
    counted.add(reader, named);
    return reader.interfaces.map(named);
  });
}

/** Only a pipe can be slow. */
function areFiles(captures: readonly ScannedCapture[]): boolean {
  return captures.every(({ capture }) => capture.fileBytes !== undefined);
}
