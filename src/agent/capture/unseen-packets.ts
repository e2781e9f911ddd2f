/**
 * Packets that an interface counts and no packet socket gets: what is sent with PACKET_QDISC_BYPASS or through AF_XDP.
 * They are the difference between the interface's counter and what tcpdump has received, if both count in the same way.
 * What is sure is reported: at least so many.
 */
export type UnseenReading = {
  readonly atLeast: number;
  /** False while it is not known whether the two count in the same way, and for good once they did not. */
  readonly isKnown: boolean;
};

export const unknownUnseen: UnseenReading = { atLeast: 0, isKnown: false };

/** What the interface had counted, and what tcpdump had received, in packets: each since its own start. */
export type PassedAndReceived = {
  readonly passed: number;
  /** Of `passed`, none: the interface did not send them. The socket had got them before. */
  readonly sentDropped: number;
  readonly received: number;
};

/** The difference between both counters when the capture started: between `least` and `most`. */
export type UnseenBaseline = { readonly least: number; readonly most: number; readonly sentDropped: number };

/** `before` has the interface's counters from before tcpdump was asked, `after` those from after its answer. Pure. */
export function unseenBaseline(before: PassedAndReceived, after: PassedAndReceived): UnseenBaseline {
  return {
    least: before.passed - before.received,
    // Before the capture received its first packet, the difference was what the interface had counted.
    most: Math.min(before.passed, after.passed - after.received),
    sentDropped: before.sentDropped,
  };
}

/** How many packets passed unseen since the start, at least, if the interface was read before tcpdump was asked. Pure. */
export function unseenAtLeast({ most }: UnseenBaseline, { passed, received }: PassedAndReceived): number {
  return Math.max(0, passed - received - most);
}

/**
 * Whether tcpdump has received packets that the interface has neither counted nor dropped, if the interface was read
 * after tcpdump was asked. Some kernels do not count what eBPF redirects to an interface (bpf_redirect_peer() before
 * Linux 6.7): such packets would hide unseen ones. Pure.
 */
export function hasUncounted(
  { least, sentDropped }: UnseenBaseline,
  { passed, received, sentDropped: droppedNow }: PassedAndReceived,
): boolean {
  return received + least - passed > droppedNow - sentDropped;
}
