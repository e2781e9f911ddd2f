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
import { gapHistory } from './gaps.ts';
import { continuousViolations, settledViolations, type Violation } from './invariants.ts';
import { nodesWithoutAgent, observe } from './observation.ts';
import type { Observation, ObservedAgent, SettledFolder } from './observed-cluster.ts';
import { isFault, type Operation } from './operations.ts';
import { repeatedDatagrams } from './repeated-datagrams.ts';
import { type SoakStep, stepsOf } from './soak-steps.ts';

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
  const history = newHistory();
  const violations: Violation[] = [];
  using _observing = observeContinuously(work, history, violations);
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

/** What was observed since the soak started; only `note` and `settle` write here. */
type History = ReturnType<typeof newHistory>;

function newHistory() {
  return {
    agents: new Map<number, ObservedAgent>(),
    gaps: gapHistory(),
    frozenTexts: new Set<string>(),
    folders: new Map<string, SettledFolder>(),
  };
}

/** Checks every two seconds what must hold all the time, and adds to `violations`. */
function observeContinuously(work: Executor, history: History, violations: Violation[]): Disposable {
  let before: Observation = { pods: [], agents: [] };
  return every(2_000, async () => {
    const now = await observe(work.pods());
    note(now, history);
    violations.push(...continuousViolations(before, now));
    before = now;
  });
}

/** Waits until nothing is violated; returns the violations that remain at the deadline. */
async function settle(work: Executor, history: History): Promise<Violation[]> {
  const start = await observe(work.pods());
  const startedMs = performance.now();
  const deadline = startedMs + settleMs;
  for (;;) {
    await sleep(1_000);
    const now = await observe(work.pods());
    note(now, history);
    const violations = [
      ...nodesWithoutAgent(now).map((of) => ({ invariant: 'one agent on each Node', of, detail: '' })),
      ...settledViolations(start, now, history),
    ];
    if (violations.length > 0 && performance.now() < deadline) continue;
    print(`settled within ${Math.ceil((performance.now() - startedMs) / 1_000)} s`);
    const found = [...violations, ...(await repetitions(work))];
    noteSettled(now, work, history);
    return found;
  }
}

async function repetitions(work: Executor): Promise<Violation[]> {
  const found: Violation[] = [];
  for (const pod of work.pods()) {
    const repeated = await repeatedDatagrams(pod);
    const detail = `${repeated.length}: ${repeated.slice(0, 10).join(', ')} of ${pod.uid} on ${pod.node}`;
    if (repeated.length > 0)
      found.push({ invariant: 'podcap read writes each datagram once', of: pod.name, detail });
  }
  return found;
}

/** What is deleted in time, or moves. */
function note({ pods }: Observation, { gaps, frozenTexts }: History): void {
  for (const { folder } of pods) {
    for (const captured of folder?.interfaces ?? []) gaps.observe(captured);
    for (const text of folder?.frozen.flatMap(({ texts }) => texts) ?? []) frozenTexts.add(text);
  }
}

function noteSettled(now: Observation, work: Executor, { agents, folders }: History): void {
  folders.clear();
  for (const { uid, folder } of now.pods)
    if (folder) folders.set(uid, { id: folder.id, frozen: folder.frozen.map(({ number }) => number) });
  work.settled(new Set(folders.keys()));
  for (const agent of now.agents) if (!agents.has(agent.pid)) agents.set(agent.pid, agent);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
