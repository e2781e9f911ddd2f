import { plainText } from '../base/plain-text.ts';
import type { CaptureInterface } from '../pcap/capture-interface.ts';
import type { DecodedPacket } from '../pcap/decode/decoded-packet.ts';
import type { LineOptions } from '../pcap/decode/packet-line.ts';
import { shorten } from '../pcap/decode/packet-text.ts';
import type { FilterSubject } from '../pcap/filter/matcher.ts';
import type { CurrentPacket, PacketReader } from '../pcap/packet-reader.ts';
import type { Output, Written } from './standard-output.ts';

/** What turns packets into lines: the decoder of one capture, and the layout of a line. */
export type PacketLines = {
  readonly decode: (packet: CurrentPacket, linkType: number) => DecodedPacket;
  /** One line without a line feed and without control characters, if the name has none. */
  readonly lineOf: (decoded: DecodedPacket, options: LineOptions) => string;
};

export type ShowPackets = PacketLines & {
  readonly reader: PacketReader;
  readonly matches: (subject: FilterSubject) => boolean;
  /** The most lines. */
  readonly count: number;
  readonly output: Output;
  /** How many packets were read so far, now and then. */
  readonly onRead?: (packets: number) => void;
};

/** `end`: of the capture or of the lines that were asked for. The others are what became of the output. */
export type ShownPackets = {
  readonly ended: 'end' | Exclude<Written, 'written'>;
  /** Packets that were read, and those of them that matched. */
  readonly packets: number;
  readonly lines: number;
};

/**
 * Writes a line for each packet that matches: many at once, but all that there are before it waits for the reader.
 * Waits for the output before it reads on.
 */
export async function showPackets(options: ShowPackets): Promise<ShownPackets> {
  const { reader, output, count } = options;
  const lineOfCurrent = currentLine(options);
  let [packets, lines, text] = [0, 0, ''];

  async function flush(): Promise<Written> {
    const bytes = Buffer.from(text);
    text = '';
    return bytes.length === 0 ? 'written' : await output.write(bytes);
  }

  while (lines < count) {
    const next = reader.next();
    if (typeof next !== 'boolean') {
      // Its error is thrown below, unless the output has ended by then.
      next.catch(() => {});
      const written = await flush();
      if (written !== 'written') return { ended: written, packets, lines };
    }
    if (!(typeof next === 'boolean' ? next : await next)) break;
    packets += 1;
    if (packets % packetsBetween === 0) options.onRead?.(packets);
    const line = lineOfCurrent();
    if (line === undefined) continue;
    lines += 1;
    text += `${line}\n`;
    if (text.length < chunkCharacters) continue;
    const written = await flush();
    if (written !== 'written') return { ended: written, packets, lines };
  }
  const written = await flush();
  return { ended: written === 'written' ? 'end' : written, packets, lines };
}

const packetsBetween = 1_000;

/** As much as a pipe of Linux takes. */
const chunkCharacters = 65_536;

/** Returns the line of the reader's packet, or undefined if the filter does not match it. */
function currentLine({ reader, decode, lineOf, matches }: ShowPackets): () => string | undefined {
  const { packet } = reader;
  const shown: ShownInterface[] = [];
  return () => {
    const { interfaceIndex } = packet;
    const at = (shown[interfaceIndex] ??= shownInterface(reader.interfaces[interfaceIndex]));
    const decoded = decode(packet, at.linkType);
    const { buffer, dataAt, capturedBytes, originalBytes } = packet;
    const subject = { packet: decoded, buffer, dataAt, capturedBytes, originalBytes, interfaceName: at.name };
    if (!matches(subject)) return undefined;
    const { seconds, nanoseconds } = packet;
    const { resolution, plainName: interfaceName } = at;
    return lineOf(decoded, { seconds, nanoseconds, time: 'with-date', resolution, interfaceName });
  };
}

/** What the lines of its packets need of an interface, which stays as it is. */
type ShownInterface = {
  readonly linkType: number;
  readonly resolution: 'us' | 'ns';
  readonly name: string | undefined;
  readonly plainName: string | undefined;
};

/** Of a packet without an interface, which no reader has, nothing is known: its link type is that of no protocol. */
function shownInterface(described: CaptureInterface | undefined): ShownInterface {
  if (!described) return { linkType: -1, resolution: 'us', name: undefined, plainName: undefined };
  const { linkType, name, resolution } = described;
  const isFine = resolution.exponent > (resolution.base === 10 ? 6 : 20);
  return {
    linkType,
    resolution: isFine ? 'ns' : 'us',
    name,
    plainName: name === undefined || name === '' ? undefined : shorten(plainText(name), maxNameCharacters),
  };
}

/** Those of Kubernetes and Linux are shorter, and a file can have one of 65,535 bytes, which each line would repeat. */
const maxNameCharacters = 100;
