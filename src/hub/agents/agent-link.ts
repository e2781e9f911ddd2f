import type { Readable } from 'node:stream';

/** The connection to one agent, as the rest of the hub uses it. Implemented in connected-agent.ts. */
export type AgentLink = {
  readonly node: string;
  readonly podName: string;
  readonly podUid: string;
  /** Of the agent's program. */
  readonly version: string;
  /** When it connected, in milliseconds of the monotonic clock. */
  readonly connectedMs: number;
  /** Sends a request of the link (link/protocol.ts). Rejects with an AgentUnavailable when the connection is gone. */
  readonly request: (request: AgentRequest) => Promise<AgentResponse>;
};

export type AgentRequest = {
  readonly method: 'GET' | 'DELETE';
  readonly path: string;
  /** Undefined values are omitted. */
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the stream, and what the agent opened for it. */
  readonly signal: AbortSignal;
  /** The longest wait for the head of the answer. */
  readonly responseMs: number;
};

export type AgentResponse = {
  readonly status: number;
  readonly contentType: string;
  /** Errors if the connection is cut or the agent ends the stream in the middle: never an end that is none. */
  readonly body: Readable;
};

/** The connection to the agent has ended, or it does not answer. */
export class AgentUnavailable extends Error {
  override readonly name = 'AgentUnavailable';
}

/** The agents that are connected to this replica. */
export type ConnectedAgents = {
  readonly all: () => readonly AgentLink[];
  /** Those of one Node, the newest connection first. */
  readonly ofNode: (node: string) => readonly AgentLink[];
};
