import { captureAnnotation } from '../../src/agent/planner/annotations.ts';
import { readRecords } from '../../src/agent/storage/capture-records.ts';
import type { BridgeTestbed, TestbedPod } from '../../src/testbed/bridge-testbed.ts';
import { withDescendants } from '../../src/testbed/descendants.ts';
import type { WantedLine } from '../support/agent-log.ts';
import { type AgentHost, agentHost, type BenchAgent, uidOf } from './bench-agent.ts';
import {
  type Contender,
  type ContenderCaptures,
  type ContenderOptions,
  type Count,
  ringFiles,
} from './contender.ts';

/** Podcap's agent, which is told to capture by annotations. */
export async function podcap(testbed: BridgeTestbed): Promise<Contender> {
  await using opening = new AsyncDisposableStack();
  const host = opening.use(await agentHost(testbed));
  const agent = opening.use(await host.startAgent());
  await agent.ready();
  const opened = opening.move();
  return {
    variant: 'podcap',
    start: (pods, wish) => start(host, agent, pods, wish),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function start(
  host: AgentHost,
  agent: BenchAgent,
  pods: readonly TestbedPod[],
  wish?: ContenderOptions,
): Promise<ContenderCaptures> {
  const said = async (message: WantedLine['message'], fromMs: number) => {
    await Promise.all(pods.map((pod) => agent.log.line({ message, uid: uidOf(pod), fromMs })));
  };
  const startMs = Date.now();
  host.annotate(pods, annotations(wish));
  await said('capture started', startMs);
  return {
    processes: () => withDescendants(agent.pid),
    async stop() {
      const stopMs = Date.now();
      // A value that is refused: the captures stop as they do at a Pod's end, and their files stay.
      host.annotate(pods, { [captureAnnotation]: 'stop' });
      await said('capture stopped', stopMs);
      const counts = await Promise.all(pods.map((pod) => countIn(host.folderOf(pod))));
      host.annotate(pods, {});
      await said('captures deleted', stopMs);
      return counts;
    },
  };
}

export function annotations({ snaplen }: ContenderOptions = {}) {
  return {
    [captureAnnotation]: String(ringFiles),
    ...(snaplen !== undefined && { 'podcap.dev/snaplen': String(snaplen) }),
  };
}

async function countIn(folder: string): Promise<Count> {
  const totals = (await readRecords(folder)).at(-1)?.totals;
  if (!totals) throw new Error(`no record in ${folder}`);
  const { captured, dropped, lostAtStop } = totals;
  return { captured, received: captured + dropped + lostAtStop };
}
