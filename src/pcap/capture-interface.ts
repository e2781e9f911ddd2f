/** Where packets of a capture file come from, as an interface description block of pcapng says it. */
export type CaptureInterface = {
  /** LINKTYPE_ value, tcpdump.org/linktypes.html: 1 is Ethernet. */
  readonly linkType: number;
  /** The most bytes that the writer kept of a packet; 0: no limit. */
  readonly snaplen: number;
  /** What a unit of its timestamps is. */
  readonly resolution: TimeResolution;
  /** Added to its timestamps, in seconds (if_tsoffset). */
  readonly offsetSeconds: bigint;
  readonly name: string | undefined;
  readonly description: string | undefined;
  /** The capture filter, in libpcap's syntax. */
  readonly filter: string | undefined;
  readonly comment: string | undefined;
  /** The IP addresses of the Pod or host that it belongs to (if_IPv4addr, if_IPv6addr). */
  readonly addresses?: readonly string[] | undefined;
  /** The length of the frame check sequence at the end of each packet (if_fcslen), in bytes, if the writer said it. */
  readonly frameCheckBytes?: number | undefined;
};

/** Units per second: `base` to the power of `exponent`. Microseconds, which are usual, are 10 to the power of 6. */
export type TimeResolution = { readonly base: 10 | 2; readonly exponent: number };

export const microseconds: TimeResolution = { base: 10, exponent: 6 };
export const nanoseconds: TimeResolution = { base: 10, exponent: 9 };
