import { lruCache } from '../../base/lru-cache.ts';
import { plainText } from '../../base/plain-text.ts';
import { type RateLimiter, type RateLimits, rateLimiter } from '../../base/rate-limiter.ts';
import type { Caller } from './access.ts';
import { boundedUser } from './bounded-user.ts';

/** Writes one line for each start, end and refusal of a stream: who read which packets. */
export type AuditLog = (event: AuditEvent) => void;

export type AuditEvent = AuditedStream &
  (
    | { readonly event: 'StreamStarted'; readonly node: string }
    | {
        readonly event: 'StreamEnded';
        readonly node: string;
        /** How it ended, in one word. */
        readonly ending: string;
        /** That the client has taken. */
        readonly bytes: number;
        readonly durationMs: number;
      }
    | {
        readonly event: 'StreamRefused';
        readonly code: number;
        readonly reason: string;
        readonly message: string;
        /** How many refusals of this user before it have no line. */
        readonly refusalsLeftOut?: number;
      }
  );

export type AuditedStream = {
  /** The hub's own: the client can choose the Audit-ID. */
  readonly id: string;
  readonly auditId: string;
  readonly caller: Caller;
  readonly verb: string;
  readonly namespace: string;
  readonly name: string;
  /** The uid of the Pod that was recorded; undefined for a tap, and where the newest was meant and not found. */
  readonly recording: string | undefined;
  /** As the hub has parsed them. */
  readonly parameters: Readonly<Record<string, string>>;
};

/** How many refusals of one user get a line: whoever may read nothing could otherwise push out the lines of those who do. */
const refusalLimits: RateLimits = { burst: 60, everyMs: 1_000 };

/**
 * Audit lines in JSON. `audit: true` tells them from the log, whose level does not apply to them. Whatever a client chose,
 * a line shows as one line, and no character of it acts on a terminal. Each start and end has a line; of refusals that
 * one user causes in quick succession, the later ones are only counted, in the user's next one.
 */
export function auditLog(
  write: (line: string) => void,
  { limits = refusalLimits, now }: { readonly limits?: RateLimits; readonly now?: () => number } = {},
): AuditLog {
  const refusals = lruCache<{ readonly rate: RateLimiter; leftOut: number }>(mostRefusedUsers);
  const writeLine = (event: AuditEvent) => write(`${auditLine(event, new Date())}\n`);
  return (event) => {
    if (event.event !== 'StreamRefused') return writeLine(event);
    const user = boundedUser(event.caller);
    const refused = refusals.get(user) ?? { rate: rateLimiter(limits, now), leftOut: 0 };
    refusals.set(user, refused);
    if (refused.rate.waitMs() > 0) {
      refused.leftOut += 1;
      return;
    }
    refused.rate.take();
    writeLine({ ...event, ...(refused.leftOut > 0 && { refusalsLeftOut: refused.leftOut }) });
    refused.leftOut = 0;
  };
}

/** Whose refusals are counted at a time. */
const mostRefusedUsers = 1_000;

export function auditLine(
  { event, caller, parameters, recording, ...others }: AuditEvent,
  time: Date,
): string {
  const { user, uid, groups, from } = caller;
  // Nothing was read: what was asked for is a hint, and may be anything.
  const most = event === 'StreamRefused' ? longest.refusedParameter : longest.parameter;
  const given = Object.entries(parameters);
  const line = {
    audit: true,
    time: time.toISOString(),
    event,
    user: cut(user),
    uid: cut(uid),
    groups: groups.slice(0, longest.groups).map((group) => cut(group)),
    ...(groups.length > longest.groups && { groupsLeftOut: groups.length - longest.groups }),
    from,
    parameters: Object.fromEntries(
      given
        .slice(0, longest.parameters)
        .map(([name, value]) => [cut(name, longest.parameterName), cut(value, most)]),
    ),
    ...(given.length > longest.parameters && { parametersLeftOut: given.length - longest.parameters }),
    ...(recording !== undefined && { recording: cut(recording) }),
    ...others,
  };
  return plainText(JSON.stringify(line));
}

/** Names of people are shorter, and so is a filter; many long lines would fill a disk. */
const longest = {
  groups: 100,
  name: 1_024,
  /** More than there are. */
  parameters: 10,
  parameterName: 100,
  parameter: 8_192,
  refusedParameter: 200,
} as const;

function cut(text: string, most: number = longest.name): string {
  return text.length <= most ? text : `${text.slice(0, most)}...`;
}
