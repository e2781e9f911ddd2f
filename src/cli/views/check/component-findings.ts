import * as v from 'valibot';
import { stringMap } from '../../../kubernetes/string-map.ts';
import { parseObject, requestObject } from '../../api/api-answer.ts';
import { apiPath } from '../../api/api-paths.ts';
import type { Cluster } from '../../api/cluster.ts';
import {
  type ComponentVersion,
  componentPaths,
  type Installed,
  installedAgents,
  installedHubs,
} from '../../version/component-versions.ts';
import type { Finding } from './finding.ts';

/** For `openCluster`. */
export const componentFindingPaths = [...componentPaths, '/api/v1/(nodes|pods)'] as const;

/** The hub and the agents. What the user may not read is a note. */
export async function componentFindings(cluster: Cluster, signal: AbortSignal): Promise<readonly Finding[]> {
  const [hub, agents, nodes, pods] = await Promise.all([
    installedHubs(cluster, signal),
    installedAgents(cluster, signal),
    readNodes(cluster, signal),
    readAgentPods(cluster, signal),
  ]);
  return [
    ...installedFindings({ subject: 'hub', things: 'replicas', kind: 'deployment' }, hub),
    ...installedFindings({ subject: 'agents', things: 'Nodes', kind: 'daemonset' }, agents),
    ...(nodes && pods ? nodeFindings(nodes, pods) : []),
  ];
}

export type CheckedNode = { readonly name: string; readonly isLinux: boolean };

export type AgentPod = {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  readonly isReady: boolean;
  readonly image: string;
};

/** What runs on the Nodes, one by one, where that is not as it should be. Pure. */
export function nodeFindings(nodes: readonly CheckedNode[], pods: readonly AgentPod[]): readonly Finding[] {
  const linux = nodes.filter(({ isLinux }) => isLinux);
  const agentsOf = Map.groupBy(pods, ({ node }) => node);
  const findings = linux.flatMap(({ name }) => nodeFinding(name, agentsOf.get(name) ?? []) ?? []);
  const images = new Set(pods.map(({ image }) => image));
  const several: readonly Finding[] =
    images.size < 2
      ? []
      : [{ status: 'note', subject: 'agents', text: `they run different images: ${[...images].join(', ')}` }];
  const all = [...findings, ...several];
  const more = all.length - mostLines;
  return more <= 0
    ? all
    : [
        ...all.slice(0, mostLines),
        { status: 'note', subject: 'agents', text: `and ${more} more lines of this kind` },
      ];
}

const mostLines = 20;

function nodeFinding(node: string, agents: readonly AgentPod[]): Finding | undefined {
  const [first] = agents;
  const subject = 'agents';
  if (first === undefined) {
    const text =
      `none on Node ${node}, so Pods there cannot be captured: the DaemonSet's nodeSelector and tolerations ` +
      'say where agents run';
    return { status: 'note', subject, text };
  }
  if (agents.some(({ isReady }) => isReady)) return undefined;
  const text = `the one on Node ${node} is not ready: kubectl describe pod ${first.name} -n ${first.namespace}`;
  return { status: 'fix', subject, text };
}

type Component = {
  readonly subject: string;
  readonly things: string;
  readonly kind: 'deployment' | 'daemonset';
};

/** What runs the hub or the agents, as far as the user may know. Pure. */
export function installedFindings(component: Component, installed: Installed): readonly Finding[] {
  const { subject } = component;
  if (installed.kind === 'unknown')
    return [{ status: 'note', subject, text: `not known to you: ${installed.message}` }];
  if (installed.components.length === 0)
    return [
      { status: 'fix', subject, text: "not installed: an administrator installs it with Podcap's chart" },
    ];
  return installed.components.map((each) => componentFinding(component, each));
}

function componentFinding(
  { subject, things, kind }: Component,
  { namespace, name, version, ready, desired, updated }: ComponentVersion,
): Finding {
  const older = updated < desired ? `, ${desired - updated} of them still older` : '';
  const known = `${version ?? 'without a version'}: ${ready} of ${desired} ${things} ready${older}`;
  if (ready >= desired && desired > 0)
    return { status: 'ok', subject, text: `${known} (${namespace}/${name})` };
  return { status: 'fix', subject, text: `${known}: kubectl describe ${kind} ${name} -n ${namespace}` };
}

/** Undefined where the user may not list them. */
async function readNodes(cluster: Cluster, signal: AbortSignal): Promise<readonly CheckedNode[] | undefined> {
  const path = apiPath(['api', 'v1', 'nodes']);
  const answer = await requestObject(cluster, { path, signal });
  if (answer.kind === 'refused') return undefined;
  return parseObject(nodesSchema, answer.object, path).items.map(({ metadata: { name, labels } }) => ({
    name,
    isLinux: (labels['kubernetes.io/os'] ?? 'linux') === 'linux',
  }));
}

async function readAgentPods(
  cluster: Cluster,
  signal: AbortSignal,
): Promise<readonly AgentPod[] | undefined> {
  const path = apiPath(['api', 'v1', 'pods'], { labelSelector: 'app=packet-capture' });
  const answer = await requestObject(cluster, { path, signal });
  if (answer.kind === 'refused') return undefined;
  return parseObject(podsSchema, answer.object, path).items.map(({ metadata, spec, status }) => ({
    ...metadata,
    node: spec.nodeName ?? '',
    isReady: status.conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
    image: spec.containers[0]?.image ?? '',
  }));
}

const nodesSchema = v.object({
  items: v.array(v.object({ metadata: v.object({ name: v.string(), labels: v.nullish(stringMap, {}) }) })),
});
const podsSchema = v.object({
  items: v.array(
    v.object({
      metadata: v.object({ namespace: v.string(), name: v.string() }),
      spec: v.object({
        nodeName: v.nullish(v.string()),
        containers: v.array(v.object({ image: v.nullish(v.string(), '') })),
      }),
      status: v.object({
        conditions: v.nullish(v.array(v.object({ type: v.string(), status: v.string() })), []),
      }),
    }),
  ),
});
