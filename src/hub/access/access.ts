import type { IncomingMessage } from 'node:http';
import type { StatusError } from '../api/status-error.ts';

/** Who sends a request, as the API server says. */
export type Caller = {
  readonly user: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
  /** The address that the API server saw: the last element of X-Forwarded-For. Empty if unknown. */
  readonly from: string;
};

/** What a request asks for, as the hub has parsed it: never as it was sent. */
export type ResourceAttributes = {
  /** get, list, watch, delete; `download` for captures/log, `tap` for captures/attach. */
  readonly verb: string;
  /** Empty: all namespaces. */
  readonly namespace: string;
  /** Empty: all names. */
  readonly name: string;
};

/** Who may do what. Implemented in front-proxy.ts (identify) and authorizer.ts (authorize). */
export type Access = {
  /** Whether the client certificate is one of the API server's, and whom it speaks for. */
  readonly identify: (request: IncomingMessage) => Caller | StatusError;
  /** Sends a SubjectAccessReview. Undefined: allowed. A StatusError says what to do. */
  readonly authorize: (
    caller: Caller,
    attributes: ResourceAttributes,
    signal: AbortSignal,
  ) => Promise<StatusError | undefined>;
};
