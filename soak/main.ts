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
import { type Gaps, rememberGaps } from './gaps.ts';
import { alwaysViolated, type SeenAgent, type Sight, settledViolated, type Violation } from './invariants.ts';
import { lookAt, withoutAgent } from './observation.ts';
import { isFault, type Operation, type SoakStep, stepsOf } from './operations.ts';

/** Operations between two times at which everything must settle. */
const operationsAtOnce = 10;
/** A killed capture's gap is known after 25 s, and the kubelet waits longer and longer before it starts an agent again. */
const settleMs = 240_000;

await tool(async () => {
  const minutes = Number(process.env['SOAK_MINUTES'] || 10);
  const seed = Number(process.env['SEED'] || randomInt(2 ** 32));
  say(
    `soak: seed ${seed}, ${minutes} minutes; SEED=${seed} SOAK_MINUTES=${minutes} make soak does the same again`,
  );
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
  const violations = await violate(cluster, stepsOf(seed), (operation) => {
    const seconds = (performance.now() - startedMs) / 1_000;
    if (seconds > minutes * 60) return false;
    history.push(operation);
    say(`${seconds.toFixed(1)} s: ${JSON.stringify(operation)}`);
    return true;
  });
  const took = ((performance.now() - startedMs) / 60_000).toFixed(1);
  if (violations.length > 0) {
    say(`\nseed ${seed}, history:\n${history.map((each) => JSON.stringify(each)).join('\n')}\n\nviolated:`);
    for (const { invariant, of, detail } of violations) say(`${invariant}: ${of}: ${detail}`);
  }
  const faults = history.filter(isFault).length;
  const done = `${history.length - faults} operations, ${faults} faults`;
  say(`soak: ${took} minutes, ${done}, ${violations.length} violations (seed ${seed})`);
  return violations.length === 0 ? 0 : 1;
}

/** Carries out step after step until `begin` says no more, or something is violated; gives back what is. */
async function violate(
  cluster: TestCluster,
  steps: Iterator<SoakStep, never>,
  begin: (operation: Operation) => boolean,
): Promise<Violation[]> {
  await using receiver = await hostReceiver();
  const work = executor(cluster, receiver);
  const memory = { agents: new Map<number, SeenAgent>(), gaps: rememberGaps() };
  const violations: Violation[] = [];
  using _watching = watchAlways(work, memory.gaps, violations);
  for (let at = 1; violations.length === 0; at += 1) {
    const { operation, pauseMs } = steps.next().value;
    if (!begin(operation)) return await settle(work, memory);
    await work.carryOut(operation).catch((error: unknown) => {
      violations.push({
        invariant: 'every operation can be carried out',
        of: operation.kind,
        detail: String(error),
      });
    });
    await sleep(pauseMs);
    if (at % operationsAtOnce === 0) violations.push(...(await settle(work, memory)));
  }
  return violations;
}

/** Looks every two seconds at what holds at every moment. */
function watchAlways(work: Executor, gaps: Gaps, violations: Violation[]): Disposable {
  let before: Sight = { pods: [], agents: [] };
  return every(2_000, async () => {
    const now = await lookAt(work.lives());
    remember(now, gaps);
    violations.push(...alwaysViolated(before, now));
    before = now;
  });
}

/** Waits until nothing is violated; gives back what still is at the deadline. */
async function settle(
  work: Executor,
  memory: { readonly agents: Map<number, SeenAgent>; readonly gaps: Gaps },
): Promise<Violation[]> {
  const start = await lookAt(work.lives());
  const startedMs = performance.now();
  const deadline = startedMs + settleMs;
  for (;;) {
    await sleep(1_000);
    const now = await lookAt(work.lives());
    remember(now, memory.gaps);
    const missing = withoutAgent(now).map((of) => ({ invariant: 'one agent on each Node', of, detail: '' }));
    const violations = [...missing, ...settledViolated(start, now, memory)];
    if (violations.length > 0 && performance.now() < deadline) continue;
    say(`settled within ${Math.ceil((performance.now() - startedMs) / 1_000)} s`);
    work.settled();
    for (const agent of now.agents) if (!memory.agents.has(agent.pid)) memory.agents.set(agent.pid, agent);
    return violations;
  }
}

function remember({ pods }: Sight, gaps: Gaps): void {
  for (const { folder } of pods) if (folder) gaps.see(folder);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
