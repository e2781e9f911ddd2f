import { delimiter, dirname } from 'node:path';
import type { CaptureRecording } from '../../../api/capture.ts';
import { apiCollection } from '../../../kubernetes/testing/api-collection.ts';
import {
  type KubectlScene,
  kubectlScene,
  type SceneRequest,
  sendObject,
} from '../../kubectl/testing/kubectl-scene.ts';
import { captureOf, recording } from './request-objects.ts';

/** The real kubectl before an API server that has the Pod web, in the namespace `shop` of the context. */
export type PodScene = AsyncDisposable &
  Pick<KubectlScene, 'kubectl' | 'requests'> & {
    /** With kubectl in PATH. */
    readonly env: NodeJS.ProcessEnv;
    /** All requests but those that read. */
    readonly writes: () => readonly SceneRequest[];
  };

export type PodSceneOptions = {
  /** What is recorded at first, by the annotation of the Pod. */
  readonly before?: CaptureRecording;
  /** What is recorded after a change. */
  readonly answer: (request: SceneRequest) => Partial<CaptureRecording> | 'deleted' | undefined;
};

export const scenePaths = {
  pod: '/api/v1/namespaces/shop/pods/web',
  captures: '/apis/podcap.dev/v1alpha1/namespaces/shop/captures',
  policies: '/apis/policy.podcap.dev/v1alpha1/namespaces/shop/capturepolicies',
} as const;

export async function podScene({ before, answer }: PodSceneOptions): Promise<PodScene> {
  const collection = apiCollection();
  if (before) collection.apply('web', captureOf('web', [before]));
  const annotations = before ? { 'tcpdump.antrea.io': '5' } : {};
  const metadata = { namespace: 'shop', name: 'web', uid: 'uid-web', annotations, labels: { app: 'web' } };
  const pod = { metadata, spec: { nodeName: 'node1' }, status: { phase: 'Running' } };
  const scene = await kubectlScene(
    (request, response) => {
      const url = new URL(request.path, 'http://localhost');
      if (url.pathname === scenePaths.captures)
        return collection.answer(Object.fromEntries(url.searchParams), response);
      const after = request.method === 'GET' ? undefined : answer(request);
      if (after === 'deleted') collection.delete('web');
      else if (after) collection.apply('web', captureOf('web', [recording(after)]));
      sendObject(response, url.pathname === scenePaths.pod ? pod : { items: [pod] });
    },
    { namespace: 'shop' },
  );
  const { kubectl, requests } = scene;
  return {
    kubectl,
    requests,
    env: { ...kubectl.env, PATH: [dirname(kubectl.program), process.env['PATH']].join(delimiter) },
    writes: () => requests.filter(({ method }) => method !== 'GET'),
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  };
}
