import { bridgeTestbed } from '../../src/testbed/bridge-testbed.ts';
import { type AgentHost, agentHost, uidOf } from '../contenders/bench-agent.ts';
import { annotations } from '../contenders/podcap-contender.ts';
import type { Figure, Measurement, Measuring, Row } from '../figure.ts';
import { percentile, summary } from '../support/statistics.ts';

/** From the start of the agent's process until it is ready, and until every Pod that it finds annotated is captured. */
export const restart: Figure = {
  name: 'restart',
  unit: 'ms',
  goal: 'ready within 500, 100 captures within 2,000, by the medians',
  runs: 20,
  needs: 'network',
  measure,
};

const captures = 100;
const readyWithin = 500;
const listeningWithin = 2_000;

async function measure({ runs, say }: Measuring): Promise<Measurement> {
  await using testbed = await bridgeTestbed(captures);
  await using host = await agentHost(testbed);
  const alone: AgentStart[] = [];
  while (alone.length < runs) alone.push(await startOnce(host, []));
  say('now with captures');
  host.annotate(testbed.pods, annotations());
  const uids = testbed.pods.map(uidOf);
  // From the second start on there is what the one before has left.
  await startOnce(host, uids);
  const capturing: AgentStart[] = [];
  while (capturing.length < runs) capturing.push(await startOnce(host, uids));
  const rows = [
    rowOf(
      'ready, no capture',
      alone.map(({ readyMs }) => readyMs),
    ),
    rowOf(
      `ready, ${captures} captures`,
      capturing.map(({ readyMs }) => readyMs),
    ),
    rowOf(
      `last of ${captures} captures listens`,
      capturing.map(({ listeningMs }) => listeningMs),
    ),
  ];
  const [empty, , listening] = rows;
  return {
    isReached:
      (empty?.median ?? Number.NaN) <= readyWithin && (listening?.median ?? Number.NaN) <= listeningWithin,
    rows,
  };
}

/** After the process was started. */
type AgentStart = { readonly readyMs: number; readonly listeningMs: number };

async function startOnce(host: AgentHost, uids: readonly string[]): Promise<AgentStart> {
  await using agent = await host.startAgent();
  const { startedMs } = agent;
  const listening = Promise.all(
    uids.map((uid) => agent.log.line({ message: 'capture started', uid, fromMs: startedMs })),
  );
  await agent.ready();
  const readyMs = Date.now() - startedMs;
  const times = (await listening).map(({ time }) => time - startedMs);
  await agent.stop();
  return { readyMs, listeningMs: Math.max(0, ...times) };
}

function rowOf(parameter: string, values: readonly number[]): Row {
  return { variant: 'podcap', parameter, ...summary(values), p90: percentile(values, 90), values };
}
