import type { Subresource } from '../api/subresource-handler.ts';
import type { RelayEnding } from './relay.ts';

/** How a stream ended: the words of the audit lines and of the metrics. */
export type StreamEnding =
  | Exclude<RelayEnding, 'Aborted'>
  | 'AccessRevoked'
  | 'AccessUnchecked'
  | 'HubStopping';

/** What happens to streams, for the metrics. */
export type StreamEvents = {
  /** The client has the head of the answer. */
  readonly opened: (subresource: Subresource, waitSeconds: number) => void;
  readonly refused: (subresource: Subresource, reason: string) => void;
  /** Taken by the client. */
  readonly bytes: (subresource: Subresource, bytes: number) => void;
  readonly ended: (subresource: Subresource, ending: StreamEnding, seconds: number) => void;
};
