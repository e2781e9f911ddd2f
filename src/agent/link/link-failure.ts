/**
 * Why there is no link to a hub, in the words of the log and of the metric podcap_hub_link_failures_total. `NoToken`: the
 * agent's own token cannot be read. `Unreachable`: no connection. `Untrusted`: the certificate is not one of the hub's
 * authority, or not of its name. `Refused`: the hub refuses the agent. `Protocol`: what answers is no hub. `Silent`: the
 * hub has stopped answering. `Closed`: the connection was there, and has ended.
 */
export const linkFailureReasons = [
  'NoToken',
  'Unreachable',
  'Untrusted',
  'Refused',
  'Protocol',
  'Silent',
  'Closed',
] as const;
export type LinkFailureReason = (typeof linkFailureReasons)[number];

export class LinkFailure extends Error {
  override readonly name = 'LinkFailure';
  readonly reason: LinkFailureReason;

  constructor(reason: LinkFailureReason, message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}
