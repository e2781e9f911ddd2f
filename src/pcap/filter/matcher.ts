import type { DecodedPacket } from '../decode/decoded-packet.ts';

/**
 * What a filter looks at: a decoded packet, its bytes, and where it was captured. Whoever filters many packets can
 * change one such object for each of them; a filter keeps nothing of it.
 */
export type FilterSubject = {
  readonly packet: DecodedPacket;
  /** The captured part of the packet is `capturedBytes` of `buffer` from `dataAt` on. */
  readonly buffer: Uint8Array;
  readonly dataAt: number;
  readonly capturedBytes: number;
  /** The length on the wire. */
  readonly originalBytes: number;
  /** `namespace/pod/interface` in the captures that Podcap writes; other writers name only the interface, or nothing. */
  readonly interfaceName: string | undefined;
};

/** A compiled part of a filter. */
export type Matcher = (subject: FilterSubject) => boolean;

/** Where something is in the text of a filter: an offset and a length in UTF-16 units, as strings of JavaScript count. */
export type FilterSpan = { readonly at: number; readonly length: number };

/** What is wrong with a filter, and where. The message has no control characters. */
export type Problem = FilterSpan & { readonly message: string };

export function problemAt({ at, length }: FilterSpan, message: string): Problem {
  return { at, length, message };
}

export function isProblem(parsed: Matcher | Problem): parsed is Problem {
  return typeof parsed !== 'function';
}

/** Without parts, everything matches. */
export function all(parts: readonly Matcher[]): Matcher {
  const [first, second] = parts;
  if (first === undefined) return () => true;
  if (second === undefined) return first;
  if (parts.length === 2) return (subject) => first(subject) && second(subject);
  return (subject) => {
    for (const part of parts) if (!part(subject)) return false;
    return true;
  };
}

export function any(parts: readonly [Matcher, ...(readonly Matcher[])]): Matcher {
  const [first, second] = parts;
  if (second === undefined) return first;
  if (parts.length === 2) return (subject) => first(subject) || second(subject);
  return (subject) => {
    for (const part of parts) if (part(subject)) return true;
    return false;
  };
}

export function not(part: Matcher): Matcher {
  return (subject) => !part(subject);
}
