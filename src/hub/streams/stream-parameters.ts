import { nodeNameRule } from '../agents/node-names.ts';
import { type QueryParameters, quotedValue } from '../api/query-parameters.ts';
import { type StatusError, statusError } from '../api/status-error.ts';
import type { Subresource } from '../api/subresource-handler.ts';

/** What an agent is asked for, by name. */
export type StreamParameters = {
  readonly kind: 'parameters';
  readonly values: Readonly<Record<string, string>>;
};

type ParameterRule = { readonly pattern: RegExp; readonly allowed: string };

const number = { pattern: /^\d{1,12}$/, allowed: 'a number of at most 12 digits' };
const switchedOn = { pattern: /^(true|false|1|0)$/, allowed: 'true or false' };
const uid = { pattern: /^[A-Za-z0-9-]{1,64}$/, allowed: 'the UID of a Pod' };
const format = { pattern: /^(pcapng|pcap)$/, allowed: 'pcapng or pcap' };
const time = { pattern: /^.{1,64}$/u, allowed: 'a time, in RFC 3339 or as a duration such as 10m' };
const frozen = { pattern: /^[A-Za-z0-9,-]{1,64}$/, allowed: 'the number of a frozen ring, or all' };
const filter = { pattern: /^.{0,8192}$/u, allowed: 'a pcap-filter(7) of at most 8,192 characters' };
const interfaces = { pattern: /^[\x21-\x7e]{1,256}$/, allowed: 'names of interfaces, separated by commas' };
const duration = { pattern: /^[A-Za-z0-9.]{1,32}$/, allowed: 'a duration such as 30s' };

/**
 * The parameters that exist, and what a value may look like at most: the agent decides whether it is valid, as it is the
 * agent that can say why. The query has no control characters (query-parameters.ts).
 */
const known = {
  log: { uid, node: nodeNameRule, frozen, since: time, until: time, format, follow: switchedOn },
  attach: {
    filter,
    interface: interfaces,
    snaplen: number,
    duration,
    count: number,
    uid,
    format,
    node: nodeNameRule,
  },
} as const satisfies Record<Subresource, Readonly<Record<string, ParameterRule>>>;

/** The parameters of a stream; an error for one that is not known, or that cannot be valid. */
export function streamParameters(
  subresource: Subresource,
  query: QueryParameters,
): StreamParameters | StatusError {
  const rules: ReadonlyMap<string, ParameterRule> = new Map(Object.entries(known[subresource]));
  for (const [name, value] of query) {
    const rule = rules.get(name);
    if (!rule) {
      const names = [...rules.keys()].join(', ');
      return statusError(
        'BadRequest',
        `captures/${subresource} has no parameter ${quotedValue(name)}: it has ${names}`,
      );
    }
    if (!rule.pattern.test(value)) {
      const message = `captures/${subresource}: ${name} cannot be ${quotedValue(value)}: it must be ${rule.allowed}`;
      return statusError('BadRequest', message);
    }
  }
  return { kind: 'parameters', values: Object.fromEntries(query) };
}
