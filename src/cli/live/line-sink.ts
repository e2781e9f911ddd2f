import { plainText } from '../../base/plain-text.ts';
import { captureToStandardOutput } from '../../commands/capture-output.ts';
import { pausedUnreadSeconds, type Terminal } from '../../commands/terminal.ts';
import type { CaptureInterface } from '../../pcap/capture-interface.ts';
import type { DecodedPacket } from '../../pcap/decode/decoded-packet.ts';
import { createDecoder, type Decoder } from '../../pcap/decode/decoder.ts';
import { lineOf } from '../../pcap/decode/packet-line.ts';
import type { CurrentPacket } from '../../pcap/packet-reader.ts';
import { packetOptions } from '../../pcap/write/packet-options.ts';
import { isFinerThanMicroseconds } from '../../pcap/write/pcap-writer.ts';
import { type Colour, coloured, hasColours, podColours } from './line-colours.ts';
import type { LivePacket } from './live-packet.ts';
import type { LiveSink } from './live-sink.ts';

export type LineSinkOptions = {
  readonly terminal: Terminal;
  /** Whether lines say whose packet it is: with one Pod, that is known. */
  readonly hasNames: boolean;
  /** Whether they say which interface of the Pod. */
  readonly hasInterfaces: boolean;
};

/** Writes a line for each packet to standard output. */
export function lineSink({ terminal, hasNames, hasInterfaces }: LineSinkOptions): LiveSink {
  const output = captureToStandardOutput(terminal, pausedUnreadSeconds);
  const decoders = new Map<string, Decoder>();
  const isColoured = hasColours(terminal);
  const colourOf = podColours();
  let text = '';

  function decode({ pod, packet, description }: LivePacket): DecodedPacket {
    // A decoder each: what both ends of a connection capture is no retransmission.
    const decoder = decoders.get(pod) ?? createDecoder({ connections: followedConnections });
    decoders.set(pod, decoder);
    return decoder.decode(packet, description.linkType);
  }

  function nameOf({ description }: LivePacket): string | undefined {
    const shown = shownName(description, { hasNames, hasInterfaces });
    if (shown === undefined || !isColoured) return shown;
    return coloured(shown, colourOf(podOf(description)));
  }

  return {
    add(live) {
      const decoded = decode(live);
      const { seconds, nanoseconds } = live.packet;
      const resolution = isFinerThanMicroseconds(live.description) ? 'ns' : 'us';
      const interfaceName = nameOf(live);
      const line = lineOf(decoded, { seconds, nanoseconds, time: 'of-day', resolution, interfaceName });
      const missing = live.missingBefore + droppedBefore(live.packet);
      const lost = missing > 0 ? ` [${missing} missing before this packet]` : '';
      const colour = isColoured ? lineColour(decoded) : undefined;
      text += `${colour === undefined ? line : colouredEnd(line, colour)}${lost}\n`;
    },
    // The last line says how many packets are missing.
    lost: () => {},
    forget: (pod) => decoders.delete(pod),
    pendingBytes: () => text.length,
    async flush() {
      const bytes = Buffer.from(text);
      text = '';
      return bytes.length === 0 ? { kind: 'written' } : await output.write(bytes);
    },
    end: () => output.complete(),
    [Symbol.asyncDispose]: () => output[Symbol.asyncDispose](),
  };
}

/** What the agent could not send, or tcpdump could not get. */
function droppedBefore(packet: CurrentPacket): number {
  return packet.optionsBytes === 0 ? 0 : (packetOptions(packet).dropped ?? 0);
}

/** Of one Pod; each takes a kilobyte. */
const followedConnections = 2_000;

type ShownParts = Pick<LineSinkOptions, 'hasNames' | 'hasInterfaces'>;

/** Of `namespace/pod/interface`, what is not known anyway. */
function shownName(
  description: CaptureInterface,
  { hasNames, hasInterfaces }: ShownParts,
): string | undefined {
  const name = plainText(description.name ?? '');
  const [, pod = name, port = ''] = name.split('/');
  if (hasNames) return hasInterfaces ? `${pod}/${port}` : pod;
  return hasInterfaces ? port : undefined;
}

function podOf({ name = '' }: CaptureInterface): string {
  return name.split('/')[1] ?? name;
}

/** What people look for: refused and lost connections, failed lookups. */
function lineColour({ tcp, protocols, info }: DecodedPacket): Colour | undefined {
  if (tcp) {
    if ((tcp.flags & resetFlag) !== 0) return 'red';
    return tcp.isRetransmission ? 'yellow' : undefined;
  }
  const isTold = protocols.some((protocol) => answering.has(protocol));
  return isTold && failures.test(info) ? 'red' : undefined;
}

const resetFlag = 4;
const answering: ReadonlySet<string> = new Set(['dns', 'icmp', 'icmpv6']);
const failures = /\b(SERVFAIL|NXDOMAIN|REFUSED|unreachable|exceeded)\b/;

/** The name keeps its own colour. */
function colouredEnd(line: string, colour: Colour): string {
  const nameEnd = line.lastIndexOf('\u001b[39m') + 1;
  const at = nameEnd === 0 ? 0 : nameEnd + '[39m'.length;
  return line.slice(0, at) + coloured(line.slice(at), colour);
}
