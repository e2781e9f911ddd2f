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

/** A ReplicationController whose template has the annotation. */
export function replicationController(name: string): object {
  return { metadata: { name }, spec: { template: podTemplate(name) } };
}

/** A revision of a StatefulSet whose template has the annotation. */
export function controllerRevision(name: string): object {
  return { metadata: { name }, revision: 1, data: { spec: { template: podTemplate(name) } } };
}

/** A Job whose template has the annotation. */
export function job(name: string): object {
  return { metadata: { name }, spec: jobSpec() };
}

/** A CronJob for New Year's Day, whose template has the annotation. */
export function cronJob(name: string): object {
  return { metadata: { name }, spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: jobSpec() } } };
}

/** The binding of a Pod to node1, with the annotation. */
export function binding(pod: string): object {
  return { metadata: { name: pod, annotations: captured }, target: { kind: 'Node', name: 'node1' } };
}

function jobSpec(): object {
  return { template: podTemplate('job', { restartPolicy: 'Never' }) };
}

function podTemplate(app: string, more: object = {}) {
  const { spec } = idle({ name: 'any', spec: { ...unscheduled.spec, ...more } });
  return { metadata: { labels: { app }, annotations: captured }, spec };
}
