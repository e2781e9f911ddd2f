import { bridgeTestbed } from '../../src/testbed/bridge-testbed.ts';
import { type AgentHost, agentHost, uidOf } from '../contenders/bench-agent.ts';
import { annotations } from '../contenders/podcap-contender.ts';
import type { Figure, Measurement, MeasureOptions, Row } from '../figure.ts';
import { rowOf } from '../support/row.ts';
import { percentile } from '../support/statistics.ts';

/** From the start of the agent's process until it is ready, and until it captures every Pod that it finds annotated. */
export const restart: Figure = {
  name: 'restart',
  unit: 'ms',
  goal: 'ready within 500, 100 captures within 2,000 (medians)',
  runs: 20,
  needs: 'network',
  measure,
};

const captureCount = 100;
const maxReadyMs = 500;
const maxListeningMs = 2_000;

async function measure({ runs, report }: MeasureOptions): Promise<Measurement> {
  await using testbed = await bridgeTestbed(captureCount);
  await using host = await agentHost(testbed);
  const idle: AgentStart[] = [];
  while (idle.length < runs) idle.push(await startOnce(host, []));
  report('now with captures');
  host.annotate(testbed.pods, annotations());
  const uids = testbed.pods.map(uidOf);
  // Each measured start finds the captures of the previous one.
  await startOnce(host, uids);
  const capturing: AgentStart[] = [];
  while (capturing.length < runs) capturing.push(await startOnce(host, uids));
  const row = (parameter: string, starts: readonly AgentStart[], what: keyof AgentStart): Row => {
    const values = starts.map((start) => start[what]);
    return { ...rowOf('podcap', parameter, values), p90: percentile(values, 90) };
  };
  const readyIdle = row('ready, no capture', idle, 'readyMs');
  const readyCapturing = row(`ready, ${captureCount} captures`, capturing, 'readyMs');
  const listening = row(`last of ${captureCount} captures listening`, capturing, 'listeningMs');
  return {
    isReached: readyIdle.median <= maxReadyMs && listening.median <= maxListeningMs,
    rows: [readyIdle, readyCapturing, listening],
  };
}

/** Milliseconds after the start of the process. */
type AgentStart = {
  readonly readyMs: number;
  /** When the last capture listens; 0 without captures. */
  readonly listeningMs: number;
};

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
