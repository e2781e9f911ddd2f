import { type LinkError, unlookedReasons } from '../../../link/protocol.ts';
import { podInterface } from '../../netns/pod-interface.ts';
import { packetRules, wholeNumber } from '../../planner/annotations.ts';

/** What a viewer asks for: packets of a Pod as they pass, without files. */
export type TapRequest = {
  readonly namespace: string;
  readonly name: string;
  /** Which Pod of that name; undefined: whichever there is. */
  readonly uid: string | undefined;
  /** At least one. */
  readonly interfaces: readonly string[];
  /** A pcap-filter(7) expression that is not compiled yet; undefined: every packet. */
  readonly filter: string | undefined;
  /** How many bytes of each packet are captured; undefined: all. */
  readonly snaplen: number | undefined;
  /** How long it lasts; undefined: as long as its reader. */
  readonly durationMs: number | undefined;
  /** How many packets are sent; undefined: no limit. */
  readonly count: number | undefined;
  readonly format: TapFormat;
};

export type TapFormat = 'pcapng' | 'pcap';

/** Why there is no tap, as the hub makes a Status of it. */
export type TapRefusal = { readonly kind: 'refused'; readonly status: number; readonly error: LinkError };

/** Reads the query of a tap; a value that is not allowed is refused in the words of the annotations. Pure. */
export function parseTapRequest(
  query: URLSearchParams,
): { readonly kind: 'tap'; readonly tap: TapRequest } | TapRefusal {
  for (const [name, { allowed, parse }] of Object.entries(tapRules)) {
    const text = query.get(name);
    if (text !== null && parse(text) === undefined) return invalidParameter(name, text, allowed);
  }
  const value = <T>(name: keyof typeof tapRules, parse: (text: string) => T | undefined) => {
    const text = query.get(name);
    return text === null ? undefined : parse(text);
  };
  const namespace = query.get('namespace') ?? '';
  const name = query.get('name') ?? '';
  if (namespace === '' || name === '') {
    return refusal(400, unlookedReasons.parameter, 'namespace and name are required: whose packets to show');
  }
  return {
    kind: 'tap',
    tap: {
      namespace,
      name,
      uid: query.get('uid') ?? undefined,
      interfaces: value('interface', tapRules.interface.parse) ?? [podInterface],
      filter: value('filter', tapRules.filter.parse),
      snaplen: value('snaplen', tapRules.snaplen.parse),
      durationMs: value('duration', tapRules.duration.parse),
      count: value('count', tapRules.count.parse),
      format: value('format', tapRules.format.parse) ?? 'pcapng',
    },
  };
}

/** A refusal in the form of the link. */
export function refusal(status: number, reason: string, message: string): TapRefusal {
  return { kind: 'refused', status, error: { reason, message } };
}

const tapRules = {
  interface: packetRules.interfaces,
  filter: packetRules.filter,
  snaplen: packetRules.snaplen,
  duration: packetRules.duration,
  count: {
    allowed: 'a whole number of packets from 1 to 999999999',
    parse: (text: string) => wholeNumber(text, 1, 999_999_999),
  },
  format: { allowed: 'pcapng or pcap', parse: tapFormat },
} as const;

function tapFormat(text: string): TapFormat | undefined {
  return text === 'pcapng' || text === 'pcap' ? text : undefined;
}

function invalidParameter(name: string, text: string, allowed: string): TapRefusal {
  const shown = JSON.stringify(text.slice(0, 200));
  return refusal(400, unlookedReasons.parameter, `${name}=${shown}: must be ${allowed}`);
}
