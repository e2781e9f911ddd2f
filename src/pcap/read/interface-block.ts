import { type CaptureInterface, microseconds, type TimeResolution } from '../capture-interface.ts';
import { addressText } from '../interface-addresses.ts';
import type { ReceivedPackets } from '../packet-reader.ts';
import {
  type BlockOption,
  commentOption,
  interfaceOption,
  type OptionRange,
  readOptions,
  sectionOption,
  statisticsOption,
} from '../pcapng-format.ts';

/**
 * An interface description block; `problem` says what could not be understood in it. Without a description, the times
 * of its packets have no meaning.
 */
export type ParsedInterface = {
  readonly description: CaptureInterface | undefined;
  readonly problem: string | undefined;
};

/** Where the body of a block is, from after its length to before its second length. */
export type BlockBody = OptionRange;

/** Reads an interface description block, whose body has at least 8 bytes. */
export function readInterface(bytes: Uint8Array, view: DataView, body: BlockBody): ParsedInterface {
  const { from, littleEndian } = body;
  const { options, isWhole } = readOptions(view, { ...body, from: from + 8 });
  const text = (code: number, skip = 0) => textOf(bytes, options, { code, skip });
  const resolution = resolutionOf(view, options);
  if (resolution === undefined) return { description: undefined, problem: noResolution };
  return {
    description: {
      linkType: view.getUint16(from, littleEndian),
      snaplen: view.getUint32(from + 4, littleEndian),
      resolution,
      offsetSeconds: offsetOf(view, options, littleEndian),
      name: text(interfaceOption.name),
      description: text(interfaceOption.description),
      filter: filterOf(view, options) ? text(interfaceOption.filter, 1) : undefined,
      comment: text(commentOption),
      addresses: addressesOf(bytes, options),
      frameCheckBytes: frameCheckBytesOf(view, options),
    },
    problem: isWhole ? undefined : 'an interface with an option that is longer than its block',
  };
}

/** Whether the options of a section header say that its writer ends each section with interface statistics: podcap does. */
export function marksItsEnd(bytes: Uint8Array, view: DataView, range: OptionRange): boolean {
  const { options } = readOptions(view, range);
  const application = textOf(bytes, options, { code: sectionOption.userApplication, skip: 0 });
  return application !== undefined && /^podcap( |$)/.test(application);
}

/** What an interface statistics block counts; its body has at least 12 bytes. */
export function readReceived(bytes: Uint8Array, view: DataView, body: BlockBody): ReceivedPackets {
  const { options } = readOptions(view, { ...body, from: body.from + 12 });
  const count = (code: number) => {
    const option = find(options, code, 8);
    return option && Number(view.getBigUint64(option.valueAt, body.littleEndian));
  };
  return {
    received: count(statisticsOption.received),
    dropped: count(statisticsOption.droppedByInterface),
    droppedBySystem: count(statisticsOption.droppedBySystem),
    comment: textOf(bytes, options, { code: commentOption, skip: 0 }),
  };
}

const noResolution = 'an interface with units of time that are too small for 64 bits';

function find(options: readonly BlockOption[], code: number, valueBytes: number): BlockOption | undefined {
  return options.find((option) => option.code === code && option.valueBytes === valueBytes);
}

/** Undefined if the units of a second do not fit into 64 bits. */
function resolutionOf(view: DataView, options: readonly BlockOption[]): TimeResolution | undefined {
  const option = find(options, interfaceOption.timeResolution, 1);
  if (option === undefined) return microseconds;
  const value = view.getUint8(option.valueAt);
  const base = value & 0x80 ? 2 : 10;
  const exponent = value & 0x7f;
  return exponent > (base === 2 ? 63 : 19) ? undefined : { base, exponent };
}

function offsetOf(view: DataView, options: readonly BlockOption[], littleEndian: boolean): bigint {
  const option = find(options, interfaceOption.timeOffset, 8);
  return option === undefined ? 0n : view.getBigInt64(option.valueAt, littleEndian);
}

function frameCheckBytesOf(view: DataView, options: readonly BlockOption[]): number | undefined {
  const option = find(options, interfaceOption.frameCheckLength, 1);
  return option && view.getUint8(option.valueAt);
}

function addressesOf(bytes: Uint8Array, options: readonly BlockOption[]): readonly string[] | undefined {
  const addresses = options
    .filter(
      ({ code, valueBytes }) =>
        (code === interfaceOption.ipv4Address && valueBytes === 8) ||
        (code === interfaceOption.ipv6Address && valueBytes === 17),
    )
    .slice(0, maxAddresses)
    .map(({ valueAt, valueBytes }) => addressText(bytes, valueAt, valueBytes === 8 ? 4 : 6));
  return addresses.length === 0 ? undefined : addresses;
}

/** Of one interface: no Pod or host is known by more. */
const maxAddresses = 64;

/** Whether there is a filter in libpcap's syntax: its first byte is 0. */
function filterOf(view: DataView, options: readonly BlockOption[]): boolean {
  const option = options.find(({ code }) => code === interfaceOption.filter);
  return option !== undefined && option.valueBytes > 0 && view.getUint8(option.valueAt) === 0;
}

/** Some writers end a string with a NUL. */
function textOf(
  bytes: Uint8Array,
  options: readonly BlockOption[],
  { code, skip }: { readonly code: number; readonly skip: number },
): string | undefined {
  const option = options.find((one) => one.code === code);
  if (option === undefined) return undefined;
  const value = bytes.subarray(option.valueAt + skip, option.valueAt + option.valueBytes);
  const end = value.indexOf(0);
  return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end));
}
