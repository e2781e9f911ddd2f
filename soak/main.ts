import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '../cluster/cluster-status.ts';
import { hostReceiver } from '../end-to-end/support/host-receiver.ts';
import { type TestCluster, testCluster } from '../end-to-end/support/test-cluster.ts';
import { every } from '../src/base/timers.ts';
import { deploy } from '../tools/deploy.ts';
import { must, tool } from '../tools/shell.ts';
import { checkout, ourTarget } from '../tools/target.ts';
import { type Executor, executor } from './execute.ts';
import { type GapHistory, gapHistory } from './gaps.ts';
import {
  continuousViolations,
  type Observation,
  type ObservedAgent,
  settledViolations,
  type Violation,
} from './invariants.ts';
import { nodesWithoutAgent, observe } from './observation.ts';
import { isFault, type Operation, type SoakStep, stepsOf } from './operations.ts';

/** The number of operations after which everything must settle. */
const operationsPerRound = 10;
/** The gap of a killed capture is known after 25 s, and the kubelet delays each further restart of an agent more. */
const settleMs = 240_000;

await tool(async () => {
  const minutes = Number(process.env['SOAK_MINUTES'] || 10);
  const seed = Number(process.env['SEED'] || randomInt(2 ** 32));
  print(`soak: seed ${seed}, ${minutes} minutes; SEED=${seed} SOAK_MINUTES=${minutes} make soak repeats it`);
  const wasUp = (await status(checkout)).up;
  try {
    await must(process.execPath, [`${checkout}/cluster/main.ts`, 'up']);
    await deploy(ourTarget());
    await using cluster = await testCluster();
    return await soak(cluster, { seed, minutes });
  } finally {
    if (!wasUp) await must(process.execPath, [`${checkout}/cluster/main.ts`, 'down']);
  }
});

async function soak(
  cluster: TestCluster,
  { seed, minutes }: { seed: number; minutes: number },
): Promise<number> {
  const history: Operation[] = [];
  const startedMs = performance.now();
  const violations = await runSteps(cluster, stepsOf(seed), (operation) => {
    const seconds = (performance.now() - startedMs) / 1_000;
    if (seconds > minutes * 60) return false;
    history.push(operation);
    print(`${seconds.toFixed(1)} s: ${JSON.stringify(operation)}`);
    return true;
  });
  const took = ((performance.now() - startedMs) / 60_000).toFixed(1);
  if (violations.length > 0) {
    print(
      `\nseed ${seed}, history:\n${history.map((each) => JSON.stringify(each)).join('\n')}\n\nviolations:`,
    );
    for (const { invariant, of, detail } of violations) print(`${invariant}: ${of}: ${detail}`);
  }
  const faults = history.filter(isFault).length;
  const done = `${history.length - faults} operations, ${faults} faults`;
  print(`soak: ${took} minutes, ${done}, ${violations.length} violations (seed ${seed})`);
  return violations.length === 0 ? 0 : 1;
}

/** Executes steps until `starts` returns false, or something is violated; returns the violations. */
async function runSteps(
  cluster: TestCluster,
  steps: Iterator<SoakStep, never>,
  starts: (operation: Operation) => boolean,
): Promise<Violation[]> {
  await using receiver = await hostReceiver();
  const work = executor(cluster, receiver);
  const history = { agents: new Map<number, ObservedAgent>(), gaps: gapHistory() };
  const violations: Violation[] = [];
  using _observing = observeContinuously(work, history.gaps, violations);
  for (let at = 1; violations.length === 0; at += 1) {
    const { operation, pauseMs } = steps.next().value;
    if (!starts(operation)) return await settle(work, history);
    await work.execute(operation).catch((error: unknown) => {
      violations.push({
        invariant: 'every operation succeeds',
        of: operation.kind,
        detail: String(error),
      });
    });
    await sleep(pauseMs);
    if (at % operationsPerRound === 0) violations.push(...(await settle(work, history)));
  }
  return violations;
}

/** Checks every two seconds what must hold all the time, and adds to `violations`. */
function observeContinuously(work: Executor, gaps: GapHistory, violations: Violation[]): Disposable {
  let before: Observation = { pods: [], agents: [] };
  return every(2_000, async () => {
    const now = await observe(work.pods());
    addGaps(now, gaps);
    violations.push(...continuousViolations(before, now));
    before = now;
  });
}

/** Waits until nothing is violated; returns the violations that remain at the deadline. */
async function settle(
  work: Executor,
  history: { readonly agents: Map<number, ObservedAgent>; readonly gaps: GapHistory },
): Promise<Violation[]> {
  const start = await observe(work.pods());
  const startedMs = performance.now();
  const deadline = startedMs + settleMs;
  for (;;) {
    await sleep(1_000);
    const now = await observe(work.pods());
    addGaps(now, history.gaps);
    const violations = [
      ...nodesWithoutAgent(now).map((of) => ({ invariant: 'one agent on each Node', of, detail: '' })),
      ...settledViolations(start, now, history),
    ];
    if (violations.length > 0 && performance.now() < deadline) continue;
    print(`settled within ${Math.ceil((performance.now() - startedMs) / 1_000)} s`);
    work.settled();
    for (const agent of now.agents) if (!history.agents.has(agent.pid)) history.agents.set(agent.pid, agent);
    return violations;
  }
}

function addGaps({ pods }: Observation, gaps: GapHistory): void {
  for (const { folder } of pods) if (folder) gaps.observe(folder);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
