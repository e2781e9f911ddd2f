import { createHash } from 'node:crypto';
import type { Capture } from '../../../api/capture.ts';
import { type ApiCollection, apiCollection } from '../../../kubernetes/testing/api-collection.ts';
import type { TargetPod } from '../../api/targets.ts';
import {
  type ApiScene,
  type ApiSceneRequest,
  answerObject,
  answerStatus,
  apiScene,
} from '../../api/testing/api-scene.ts';

/** An API server with Pods, captures and policies in the namespace `shop`, whose agents a test plays. */
export type RequestScene = AsyncDisposable &
  Pick<ApiScene, 'cluster' | 'requests'> & {
    readonly pods: Map<string, TargetPod>;
    /** What the hub says of each list of captures from now on. */
    readonly setWarning: (text: string | undefined) => void;
    readonly policies: Map<string, object>;
    readonly setCapture: (capture: Capture) => void;
    readonly deleteCapture: (pod: string) => void;
  };

export type RequestSceneOptions = {
  readonly pods: readonly TargetPod[];
  readonly captures?: readonly Capture[];
  /** Called for each change of a Pod, with its annotations then: what its agent does. */
  readonly onChange?: (pod: TargetPod, scene: RequestScene) => void;
  /** Called when a policy is created or changed. */
  readonly onPolicy?: (scene: RequestScene) => void;
  /** Answers a request in another way; returns whether it did. */
  readonly answer?: (request: ApiSceneRequest, refuse: Refuse) => boolean;
};

type Refuse = (code: number, reason: string, message: string) => void;

const podsPath = '/api/v1/namespaces/shop/pods';
const capturesPath = '/apis/podcap.dev/v1alpha1/namespaces/shop/captures';
const policiesPath = '/apis/policy.podcap.dev/v1alpha1/namespaces/shop/capturepolicies';
const deploymentPath = '/apis/apps/v1/namespaces/shop/deployments/web';
const replicaSetPath = '/apis/apps/v1/namespaces/shop/replicasets/web-1';

/** Pods with a label app=web are those of the Deployment web, unless they have a label `orphan`. */
export async function requestScene(options: RequestSceneOptions): Promise<RequestScene> {
  const pods = new Map(options.pods.map((pod) => [pod.name, pod]));
  const policies = new Map<string, object>();
  const captures = apiCollection();
  for (const capture of options.captures ?? []) captures.apply(capture.metadata.name, capture);
  let warning: string | undefined;
  const api = await apiScene((request, response) => {
    const refuse: Refuse = (code, reason, message) => answerStatus(response, code, reason, message);
    if (options.answer?.(request, refuse) === true) return;
    if (request.path === capturesPath && warning !== undefined)
      response.setHeader('warning', `299 - ${JSON.stringify(warning)}`);
    if (request.path === capturesPath) return captures.answer(request.query, response);
    if (isOutdated(request, pods)) return refuse(409, 'Conflict', 'the object has been modified');
    const object = answerOf(request, { pods, policies, captures, options, scene });
    if (object === undefined) refuse(404, 'NotFound', `${request.path} not found`);
    else answerObject(response, object);
  });
  const scene: RequestScene = {
    cluster: api.cluster,
    requests: api.requests,
    pods,
    policies,
    setCapture: (capture) => captures.apply(capture.metadata.name, capture),
    deleteCapture: (pod) => captures.delete(pod),
    setWarning(text) {
      warning = text;
    },
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  };
  return scene;
}

type Parts = {
  readonly pods: Map<string, TargetPod>;
  readonly policies: Map<string, object>;
  readonly captures: ApiCollection;
  readonly options: RequestSceneOptions;
  readonly scene: RequestScene;
};

function answerOf(request: ApiSceneRequest, parts: Parts): object | undefined {
  const { path, method, query } = request;
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (path === podsPath) {
    const [key, value] = (query['labelSelector'] ?? '').split('=');
    const selected = [...parts.pods.values()].filter(({ labels }) => key && labels[key] === value);
    return { items: selected.map(podObject) };
  }
  if (path === `${podsPath}/${name}`) return podAnswer(name, request, parts);
  if (path === deploymentPath) return { metadata: { uid: 'd' }, spec: selectsWeb };
  if (path === replicaSetPath) {
    const ownerReferences = [{ uid: 'd', name: 'web', controller: true }];
    return { metadata: { uid: 'rs', ownerReferences }, spec: selectsWeb };
  }
  if (path === `${capturesPath}/${name}` && method === 'DELETE') {
    parts.captures.delete(name);
    return { kind: 'Status', status: 'Success' };
  }
  return path.startsWith(policiesPath) ? policyAnswer(name, request, parts) : undefined;
}

function isOutdated({ path, method, body }: ApiSceneRequest, pods: ReadonlyMap<string, TargetPod>): boolean {
  const pod = pods.get(path.slice(path.lastIndexOf('/') + 1));
  const version = fieldOf(body, 'metadata', 'resourceVersion');
  return method === 'PATCH' && pod !== undefined && version !== undefined && version !== versionOf(pod);
}

function fieldOf(body: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce((at, key) => Object.entries(at ?? {}).find(([each]) => each === key)?.[1], body);
}

/** Another one after every change. */
function versionOf(pod: TargetPod): string {
  return createHash('sha256').update(JSON.stringify(pod)).digest('hex');
}

const selectsWeb = { selector: { matchLabels: { app: 'web' } } };

function podAnswer(
  name: string,
  { method, body }: ApiSceneRequest,
  { pods, options, scene }: Parts,
): object | undefined {
  const pod = pods.get(name);
  if (!pod || method !== 'PATCH') return pod && podObject(pod);
  const annotations = merged(pod.annotations, body);
  const changed = { ...pod, annotations };
  pods.set(name, changed);
  options.onChange?.(changed, scene);
  return podObject(changed);
}

function merged(
  annotations: Readonly<Record<string, string>>,
  body: unknown,
): Readonly<Record<string, string>> {
  const patch = { metadata: { annotations: {} }, ...(typeof body === 'object' ? body : {}) };
  const all = Object.entries({ ...annotations, ...patch.metadata.annotations });
  return Object.fromEntries(all.flatMap(([key, value]) => (typeof value === 'string' ? [[key, value]] : [])));
}

function policyAnswer(
  name: string,
  { method, body }: ApiSceneRequest,
  { policies, options, scene }: Parts,
): object | undefined {
  if (method === 'GET') return policies.get(name);
  const given: unknown = Array.isArray(body) ? { spec: body[0]?.value } : body;
  if (typeof given !== 'object' || given === null) return undefined;
  policies.set(nameOf(given) ?? name, given);
  options.onPolicy?.(scene);
  return given;
}

function nameOf(object: object): string | undefined {
  const metadata: unknown = 'metadata' in object ? object.metadata : undefined;
  if (typeof metadata !== 'object' || metadata === null || !('name' in metadata)) return undefined;
  return String(metadata.name);
}

function podObject(pod: TargetPod): object {
  const { namespace, name, uid, annotations, labels, node, phase, isHostNetwork, isBeingDeleted } = pod;
  const ownerReferences = [{ uid: 'rs', name: 'web-1', controller: true }];
  const isOwned = labels['app'] === 'web' && labels['orphan'] === undefined;
  return {
    metadata: {
      namespace,
      name,
      uid,
      resourceVersion: versionOf(pod),
      annotations,
      labels,
      ...(isOwned && { ownerReferences }),
      ...(isBeingDeleted && { deletionTimestamp: '2026-11-30T19:00:00Z' }),
    },
    spec: { hostNetwork: isHostNetwork, ...(node !== undefined && { nodeName: node }) },
    status: { phase },
  };
}
