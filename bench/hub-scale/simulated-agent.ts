import type { CapturePhase } from '../../src/api/capture.ts';
import { agentToken } from '../../src/hub/testing/agent-token.ts';
import { connectTestAgent } from '../../src/hub/testing/test-agent.ts';
import { linkPing } from '../../src/link/protocol.ts';
import { simulatedRecordings } from './simulated-recordings.ts';

/** Where a hub listens for agents. */
export type HubLinkEndpoint = {
  readonly host: string;
  readonly port: number;
  /** PEM. */
  readonly ca: string;
  /** In its certificate; without it, the host is. */
  readonly serverName?: string;
};

/** An agent that exists only as a connection to a hub: it reports recordings, and answers with counters. */
export type SimulatedAgent = AsyncDisposable & {
  /** Reports that a recording has another phase. */
  readonly change: (recording: number, phase: CapturePhase) => void;
};

/** Connects an agent of the Node of that number. Throws when the hub refuses it. */
export async function simulatedAgent(
  hub: HubLinkEndpoint,
  { node, recordings: count }: { readonly node: number; readonly recordings: number },
): Promise<SimulatedAgent> {
  const recordings = simulatedRecordings(node, count);
  const agent = await connectTestAgent({
    ...hub,
    // As of many Nodes: a hub limits the connections of one address.
    localAddress: `127.1.${Math.trunc(node / 250)}.${(node % 250) + 1}`,
    token: agentToken({ node: `node-${node}` }),
    recordings: recordings.all().map((recording) => ({ kind: 'recording', recording })),
    counters: recordings.counters,
    pingEveryMs: linkPing.everyMs,
  });
  const { welcome } = agent;
  if (welcome.kind === 'refused') throw new Error(`${welcome.reason}: ${welcome.message}`);
  return {
    change: (index, phase) => agent.report({ kind: 'recording', recording: recordings.change(index, phase) }),
    [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
  };
}
