import type { ServerResponse } from 'node:http';
import type { Caller } from '../access/access.ts';
import type { CaptureName } from '../captures/captures.ts';
import type { QueryParameters } from './query-parameters.ts';
import type { StatusError } from './status-error.ts';

/** The long answers: captures/log and captures/attach. */
export type Subresource = 'log' | 'attach';

/** A GET of a subresource, whose path, query and caller the server has checked. Nothing is authorized yet. */
export type SubresourceRequest = {
  readonly subresource: Subresource;
  readonly capture: CaptureName;
  /** Decoded; none occurs twice with different values. The handler refuses what it does not know. */
  readonly query: QueryParameters;
  readonly caller: Caller;
  /** Accept as it was sent; empty if it was not. */
  readonly accept: string;
  /** Audit-ID as it was sent, which the client can choose; empty if it was not sent, or is longer than 64 characters. */
  readonly auditId: string;
  /** Aborts when the client is gone, or when the hub ends its streams. */
  readonly signal: AbortSignal;
  /** Cuts the answer at once: what of it the client has not read yet is lost, and it sees no end. */
  readonly cut: () => void;
};

/**
 * Authorizes and answers a request. Returns an error while nothing of the answer has been sent: the server sends it as
 * a Status. Otherwise it resolves once it has ended the response, or cut it: then the client sees that
 * it is not complete. Of an error that it throws, the client sees only that there was one.
 */
export type SubresourceHandler = (
  request: SubresourceRequest,
  response: ServerResponse,
) => Promise<StatusError | undefined>;
