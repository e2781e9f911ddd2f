import { captureAnnotation } from '../../src/agent/planner/annotations.ts';
import { idle } from './pod-manifests.ts';

/** The spec of Pods that no scheduler gives a Node: only the API server and its controllers see them. */
export const unscheduled = { spec: { schedulerName: 'none' } };

/** The annotations of a Pod that is captured. */
export const captured = { [captureAnnotation]: '1' };

type Workload = { readonly name?: string; readonly more?: object; readonly annotations?: object };

/** A Deployment, ReplicaSet, StatefulSet or DaemonSet whose template has `annotations`; `more` is of its spec. */
export function workload({ name = 'web', more = {}, annotations = captured }: Workload = {}): object {
  const matchLabels = { app: name };
  const template = { ...podTemplate(name), metadata: { labels: matchLabels, annotations } };
  return { metadata: { name }, spec: { selector: { matchLabels }, template, ...more } };
}

/** A ReplicationController whose template has `annotations`. */
export function replicationController(name: string, annotations: object = captured): object {
  return { metadata: { name }, spec: { template: podTemplate(name, { annotations }) } };
}

/** A revision of a StatefulSet whose template has the annotation. */
export function controllerRevision(name: string): object {
  return { metadata: { name }, revision: 1, data: { spec: { template: podTemplate(name) } } };
}

/** A Job whose template has `annotations`. */
export function job(name: string, annotations: object = captured): object {
  return { metadata: { name }, spec: jobSpec(annotations) };
}

/** A CronJob for New Year's Day, whose template has `annotations`. */
export function cronJob(name: string, annotations: object = captured) {
  const jobTemplate = { spec: jobSpec(annotations) };
  return { metadata: { name }, spec: { schedule: '0 0 1 1 *', jobTemplate } };
}

/** The binding of a Pod to node1, with the annotation. */
export function binding(pod: string): object {
  return { metadata: { name: pod, annotations: captured }, target: { kind: 'Node', name: 'node1' } };
}

/** The Pod with this owner. */
export function ownedBy<T extends { readonly metadata: object }>(pod: T, owner: object) {
  return { ...pod, metadata: { ...pod.metadata, ownerReferences: [owner] } };
}

/** Argo's Rollout, as far as the policies look at it. */
export const rolloutDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'rollouts.argoproj.io' },
  spec: {
    group: 'argoproj.io',
    scope: 'Namespaced',
    names: { kind: 'Rollout', plural: 'rollouts', singular: 'rollout', listKind: 'RolloutList' },
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

function jobSpec(annotations: object): object {
  return { template: podTemplate('job', { annotations, spec: { restartPolicy: 'Never' } }) };
}

function podTemplate(
  app: string,
  { annotations = captured, spec: more = {} }: { readonly annotations?: object; readonly spec?: object } = {},
) {
  const { spec } = idle({ name: 'any', spec: { ...unscheduled.spec, ...more } });
  return { metadata: { labels: { app }, annotations }, spec };
}
