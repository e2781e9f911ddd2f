import * as v from 'valibot';
import { capturePhases } from '../../src/api/capture.ts';
import { type SimulatedAgent, simulatedAgent } from './simulated-agent.ts';

/** What the bench requests: connect all agents, let one report a change, or cut all connections. */
export const agentsOrderSchema = v.variant('kind', [
  v.object({ kind: v.literal('connect') }),
  v.object({
    kind: v.literal('change'),
    node: v.number(),
    recording: v.number(),
    phase: v.picklist(capturePhases),
  }),
  v.object({ kind: v.literal('disconnect') }),
]);
export type AgentsOrder = v.InferOutput<typeof agentsOrderSchema>;

const startSchema = v.object({
  hub: v.object({
    host: v.string(),
    port: v.number(),
    ca: v.string(),
    serverName: v.exactOptional(v.string()),
  }),
  agents: v.number(),
  recordings: v.number(),
});

/** As many agents as a hub takes at a time: real ones start over a minute, and wait between their tries. */
const connecting = 20;

/** Many agents in one process, each with a connection of its own. */
function main(): void {
  const { hub, agents: count, recordings } = v.parse(startSchema, JSON.parse(process.argv[2] ?? ''));
  const agents: SimulatedAgent[] = [];

  async function connectAll(): Promise<void> {
    let next = 0;
    const worker = async () => {
      for (let node = next++; node < count; node = next++)
        agents[node] = await simulatedAgent(hub, { node, recordings });
    };
    await Promise.all(Array.from({ length: connecting }, worker));
  }

  /** Milliseconds of the epoch at which the order was carried out. */
  async function follow(order: AgentsOrder): Promise<number> {
    switch (order.kind) {
      case 'connect':
        await connectAll();
        break;
      case 'change':
        agents[order.node]?.change(order.recording, order.phase);
        break;
      case 'disconnect':
        await Promise.all(agents.splice(0).map((agent) => agent[Symbol.asyncDispose]()));
    }
    return Date.now();
  }

  process.on('message', (order) => {
    void follow(v.parse(agentsOrderSchema, order)).then(
      (atMs) => process.send?.(atMs),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.once('disconnect', () => process.exit());
}

main();
