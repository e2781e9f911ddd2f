import type { ServerResponse } from 'node:http';
import { type ApiSceneRequest, answerObject, answerStatus } from './api-scene.ts';

export type ShopPod = {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Name and UID of its controller. */
  readonly controller?: string;
};

/** A Pod of namespace shop, as the API server sends it. A controller's UID is `uid-of-` and its name. */
export function shopPod({ name, labels = {}, controller }: ShopPod): object {
  const owner = controller && {
    uid: `uid-of-${controller}`,
    name: controller,
    controller: true,
    kind: 'Any',
  };
  return {
    metadata: {
      namespace: 'shop',
      name,
      uid: `uid-of-${name}`,
      resourceVersion: '1',
      labels,
      ...(owner && { ownerReferences: [{ uid: 'another', name: 'another' }, owner] }),
    },
    spec: { nodeName: 'node1', hostNetwork: name === 'on-host' },
    status: { phase: 'Running' },
  };
}

/** Objects of namespace shop by their path below it: "deployments/web". */
export type ShopObjects = Readonly<Record<string, object>>;

/** Answers reads of single objects and lists of Pods; a list ignores its selector, as ownership must decide. */
export function serveShop(objects: ShopObjects, pods: readonly object[]) {
  return ({ path, query }: ApiSceneRequest, response: ServerResponse): void => {
    const below = path.replace(/^.*\/namespaces\/shop\//, '');
    const object = objects[below];
    if (object) answerObject(response, object);
    else if (below === 'pods') {
      // In pages of two.
      const from = Number(query['continue'] ?? 0);
      const more = from + 2 < pods.length ? `${from + 2}` : '';
      answerObject(response, {
        metadata: { resourceVersion: '1', continue: more },
        items: pods.slice(from, from + 2),
      });
    } else {
      const [type, name] = below.split('/');
      answerStatus(response, 404, 'NotFound', `${type} "${name}" not found`);
    }
  };
}

/** A workload with that selector; for a ReplicaSet, `controller` is its Deployment. */
export function shopWorkload(name: string, selector: object, controller?: string): object {
  const owner = { uid: `uid-of-${controller}`, name: controller, controller: true };
  return {
    metadata: { name, uid: `uid-of-${name}`, ...(controller !== undefined && { ownerReferences: [owner] }) },
    spec: { selector },
  };
}
