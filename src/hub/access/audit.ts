import { plainText } from '../../base/plain-text.ts';
import type { Caller } from './access.ts';

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

/**
 * Audit lines in JSON. `audit: true` tells them from the log, whose level does not apply to them. Whatever a client chose,
 * a line shows as one line, and no character of it acts on a terminal.
 */
export function auditLog(write: (line: string) => void): AuditLog {
  return (event) => write(`${auditLine(event, new Date())}\n`);
}

export function auditLine(
  { event, caller, parameters, recording, ...others }: AuditEvent,
  time: Date,
): string {
  const { user, uid, groups, from } = caller;
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
      Object.entries(parameters).map(([name, value]) => [cut(name), cut(value, longest.parameter)]),
    ),
    ...(recording !== undefined && { recording: cut(recording) }),
    ...others,
  };
  return plainText(JSON.stringify(line));
}

/** Names of people are shorter, and so is a filter; many long lines would fill a disk. */
const longest = { groups: 100, name: 1_024, parameter: 8_192 } as const;

function cut(text: string, most: number = longest.name): string {
  return text.length <= most ? text : `${text.slice(0, most)}...`;
}
