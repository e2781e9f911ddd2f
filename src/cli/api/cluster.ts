import type { Readable } from 'node:stream';
import type { CommandPlace } from '../suggested-command.ts';

/** The API server as the user reaches it: with the user's own kubectl, login and rights. */
export type Cluster = AsyncDisposable &
  CommandPlace & {
    /** The namespace of the command: given, or that of the context. */
    readonly namespace: string;
    /**
     * Sends a request. Rejects with a CommandFailure that has kubectl's own words if the API server cannot be reached, and
     * with the signal's reason when that is aborted. An HTTP error is an answer: see `answerOf` and `refusalOf`.
     */
    readonly request: (request: ClusterRequest) => Promise<ClusterAnswer>;
  };

export type ClusterRequest = {
  /** GET unless given. */
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With its query; each segment is encoded. */
  readonly path: string;
  readonly accept?: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** application/json unless given; for PATCH, application/merge-patch+json. */
  readonly contentType?: string;
  readonly signal: AbortSignal;
};

export type ClusterAnswer = {
  readonly status: number;
  readonly contentType: string | undefined;
  /** The texts of the Warning headers. */
  readonly warnings: readonly string[];
  /** The clock of the API server: the Date header, in whole seconds. */
  readonly date?: string | undefined;
  /** Must be read to its end or destroyed. An answer that is cut ends with an error. */
  readonly body: Readable;
};
