import type { Capture } from '../../api/capture.ts';
import { semaphore } from '../../base/semaphore.ts';
import { exitCodes } from '../../commands/terminal.ts';
import { type CaptureList, listCaptures, readCapture } from '../api/captures-client.ts';
import type { Cluster } from '../api/cluster.ts';
import { listPods } from '../api/pods-client.ts';
import { resolveTargets } from '../api/resolve-targets.ts';
import type { Targets } from '../api/targets.ts';
import { UnreachableServer } from '../api/unreachable-server.ts';
import { ownershipTest, readWorkload, type Workload } from '../api/workloads-client.ts';
import { CommandFailure } from '../cli-command.ts';
import { suggestedCommand, withNamespace } from '../suggested-command.ts';
import type { SaveArguments } from './save-arguments.ts';
import { frozenNotes, notCapturedNote } from './save-notes.ts';
import type { SaveSource } from './save-recordings.ts';
import { saveSources } from './save-sources.ts';

export type FoundSources = {
  readonly sources: readonly SaveSource[];
  /** What could not be found, in words. */
  readonly warnings: readonly string[];
  /** What is left out, and could be had. */
  readonly notes: readonly string[];
};

/**
 * Finds what is recorded of the targets: also of Pods that are gone. Throws a CommandFailure if there is nothing, or where
 * the API server or the hub refuses.
 */
export async function findSources(
  cluster: Cluster,
  targets: Targets,
  { asked, signal }: { readonly asked: SaveArguments; readonly signal: AbortSignal },
): Promise<FoundSources> {
  const { namespace } = cluster;
  const { captures, warnings } = await findCaptures(cluster, targets, signal);
  const names = targets.kind === 'pods' ? targets.names : undefined;
  const { sources, missing, leftOut } = saveSources(captures, { ...asked, namespace, names });
  const problems = [...missing, ...warnings.map((each) => each.replace(/^podcap: /, ''))];
  const uncaptured = await uncapturedPods(cluster, targets, { captures, signal });
  const notes = [...frozenNotes(leftOut), ...(uncaptured.length > 0 ? [notCapturedNote(uncaptured)] : [])];
  if (sources.length > 0) return { sources, warnings: problems, notes };
  const nothing = problems.length > 0 ? [] : [nothingRecorded(targets, cluster)];
  throw new CommandFailure([...nothing, ...problems, ...notes].join('\n'), exitCodes.failed);
}

async function findCaptures(cluster: Cluster, targets: Targets, signal: AbortSignal): Promise<CaptureList> {
  const { namespace } = cluster;
  switch (targets.kind) {
    case 'pods': {
      const inTurn = semaphore(atOnce);
      const found = await Promise.all(
        targets.names.map((name) => inTurn(() => knownCapture(cluster, name, signal), signal)),
      );
      return { captures: found.filter((capture) => capture !== undefined), warnings: [] };
    }
    case 'selector':
      return await listCaptures(cluster, { namespace, labelSelector: targets.selector }, signal);
    case 'workload': {
      const workload = await readWorkload(cluster, targets, signal);
      const { labelSelector } = workload;
      const { captures, warnings } = await listCaptures(cluster, { namespace, labelSelector }, signal);
      const others = await othersPods(cluster, workload, signal);
      if (others.kind === 'unknown') return { captures, warnings: [...warnings, others.why] };
      return { captures: captures.filter(({ metadata }) => !others.names.has(metadata.name)), warnings };
    }
  }
}

type OthersPods =
  | { readonly kind: 'known'; readonly names: ReadonlySet<string> }
  | { readonly kind: 'unknown'; readonly why: string };

/**
 * The Pods with the labels of a workload's that are not its own. Of Pods that are gone, only their labels are known: they
 * count as its own. Whoever may download may not be allowed to see Pods.
 */
async function othersPods(cluster: Cluster, workload: Workload, signal: AbortSignal): Promise<OthersPods> {
  try {
    const pods = await listPods(cluster, workload, signal);
    const owns = ownershipTest(cluster, workload);
    const areOwn = await Promise.all(pods.map((pod) => owns(pod, signal)));
    return {
      kind: 'known',
      names: new Set(pods.filter((_, at) => areOwn[at] !== true).map(({ name }) => name)),
    };
  } catch (error) {
    if (!(error instanceof CommandFailure) || error instanceof UnreachableServer) throw error;
    const why = `Pods of others that have the labels of ${workload.type}/${workload.name} may be among these: ${error.message}`;
    return { kind: 'unknown', why };
  }
}

const atOnce = 8;

/** Running Pods of the targets that have no recording; none where the user may not see the Pods. */
async function uncapturedPods(
  cluster: Cluster,
  targets: Targets,
  { captures, signal }: { readonly captures: readonly Capture[]; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  if (targets.kind === 'pods') return [];
  const recorded = new Set(captures.flatMap(({ status }) => status.recordings.map(({ uid }) => uid)));
  try {
    const pods = await resolveTargets(cluster, targets, signal);
    return pods.filter(({ uid, phase }) => phase === 'Running' && !recorded.has(uid)).map(({ name }) => name);
  } catch (error) {
    if (error instanceof CommandFailure && !(error instanceof UnreachableServer)) return [];
    throw error;
  }
}

/** Who may download may not be allowed to see captures: then their size is unknown, and the hub finds the recording. */
async function knownCapture(
  cluster: Cluster,
  name: string,
  signal: AbortSignal,
): Promise<Capture | undefined> {
  try {
    return await readCapture(cluster, { namespace: cluster.namespace, name }, signal);
  } catch (error) {
    if (error instanceof CommandFailure && !(error instanceof UnreachableServer)) return undefined;
    throw error;
  }
}

function nothingRecorded(targets: Targets, cluster: Cluster): string {
  const { namespace } = cluster;
  const of =
    targets.kind === 'selector'
      ? `Pods that ${targets.selector} selects`
      : targets.kind === 'workload'
        ? `the Pods of ${targets.type}/${targets.name}`
        : `Pod ${targets.names.join(', ')}`;
  return `nothing is recorded of ${of} in namespace ${namespace}: ${suggestedCommand('kubectl podcap list', withNamespace(cluster, namespace))} shows what is`;
}
