import type { QueryParameters } from '../api/query-parameters.ts';
import { type StatusError, statusError } from '../api/status-error.ts';
import type { Subresource } from '../api/subresource-handler.ts';

/** What an agent is asked for, by name. */
export type StreamParameters = {
  readonly kind: 'parameters';
  readonly values: Readonly<Record<string, string>>;
};

const number = /^\d{1,12}$/;
const switchedOn = /^(true|false|1|0)$/;
const uid = /^[A-Za-z0-9-]{1,64}$/;
const format = /^(pcapng|pcap)$/;
const time = /^.{1,64}$/u;

/**
 * The parameters that exist, and what a value may look like at most: the agent decides whether it is valid, as it is the
 * agent that can say why. The query has no control characters (query-parameters.ts).
 */
const known = {
  log: {
    uid,
    frozen: /^[A-Za-z0-9,-]{1,64}$/,
    since: time,
    until: time,
    format,
    follow: switchedOn,
  },
  attach: {
    filter: /^.{0,8192}$/u,
    interface: /^[\x21-\x7e]{1,256}$/,
    snaplen: number,
    duration: /^[A-Za-z0-9.]{1,32}$/,
    count: number,
    uid,
    format,
    node: /^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/,
  },
} as const satisfies Record<Subresource, Readonly<Record<string, RegExp>>>;

/** The parameters of a stream; an error for one that is not known, or that cannot be valid. */
export function streamParameters(
  subresource: Subresource,
  query: QueryParameters,
): StreamParameters | StatusError {
  const patterns: ReadonlyMap<string, RegExp> = new Map(Object.entries(known[subresource]));
  for (const [name, value] of query) {
    const pattern = patterns.get(name);
    if (!pattern) {
      const names = [...patterns.keys()].join(', ');
      return statusError(
        'BadRequest',
        `captures/${subresource} has no parameter ${quoted(name)}: it has ${names}`,
      );
    }
    if (!pattern.test(value)) {
      return statusError('BadRequest', `captures/${subresource}: ${name} cannot be ${quoted(value)}`);
    }
  }
  return { kind: 'parameters', values: Object.fromEntries(query) };
}

function quoted(text: string): string {
  return JSON.stringify(text.length <= 100 ? text : `${text.slice(0, 100)}...`);
}
