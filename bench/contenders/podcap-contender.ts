import { captureAnnotation } from '../../src/agent/planner/annotations.ts';
import { addTotals, noTotals, readRecords } from '../../src/agent/storage/capture-records.ts';
import type { BridgeTestbed, TestbedPod } from '../../src/testbed/bridge-testbed.ts';
import { withDescendants } from '../../src/testbed/descendants.ts';
import type { WantedLine } from '../support/agent-log.ts';
import { type AgentHost, type Annotations, agentHost, type BenchAgent, uidOf } from './bench-agent.ts';
import {
  type Contender,
  type ContenderCaptures,
  type ContenderOptions,
  type PacketCounts,
  ringFileCount,
} from './contender.ts';

/** Podcap's agent, which captures the Pods that the arena annotates. Returns when the agent is ready. */
export async function podcap(testbed: BridgeTestbed): Promise<Contender> {
  await using opening = new AsyncDisposableStack();
  const host = opening.use(await agentHost(testbed));
  const agent = opening.use(await host.startAgent());
  await agent.ready();
  const opened = opening.move();
  return {
    name: 'podcap',
    start: (pods, options) => start({ host, agent, pods }, options),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

type PodcapCaptures = {
  readonly host: AgentHost;
  readonly agent: BenchAgent;
  readonly pods: readonly TestbedPod[];
};

async function start(
  { host, agent, pods }: PodcapCaptures,
  options?: ContenderOptions,
): Promise<ContenderCaptures> {
  const logged = async (message: WantedLine['message'], fromMs: number) => {
    await Promise.all(pods.map((pod) => agent.log.line({ message, uid: uidOf(pod), fromMs })));
  };
  const startMs = Date.now();
  host.annotate(pods, annotations(options));
  await logged('capture started', startMs);
  return {
    processes: () => withDescendants(agent.pid),
    async stop() {
      const stopMs = Date.now();
      // With a value that is refused the captures stop as they do when the Pod ends, and their files stay.
      host.annotate(pods, { [captureAnnotation]: 'stop' });
      await logged('capture stopped', stopMs);
      const counts = await Promise.all(pods.map((pod) => countsIn(host.folderOf(pod))));
      host.annotate(pods, {});
      await logged('captures deleted', stopMs);
      return counts;
    },
  };
}

/** The annotations that request a capture into a ring of `ringFileCount` files. */
export function annotations({ snaplen }: ContenderOptions = {}): Annotations {
  return {
    [captureAnnotation]: String(ringFileCount),
    ...(snaplen !== undefined && { 'podcap.dev/snaplen': String(snaplen) }),
  };
}

async function countsIn(folder: string): Promise<PacketCounts> {
  const records = await readRecords(folder);
  if (records.length === 0) throw new Error(`no record in ${folder}`);
  // More than one where the receive ring has grown.
  const { captured, duplicated, dropped, lostAtStop } = records.reduce(
    (sum, { totals }) => addTotals(sum, totals),
    noTotals,
  );
  return { captured: captured - duplicated, received: captured + dropped + lostAtStop };
}
