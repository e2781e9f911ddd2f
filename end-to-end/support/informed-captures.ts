import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { CustomObjectsApi, KubeConfig, type KubernetesObject, makeInformer } from '@kubernetes/client-node';
import * as v from 'valibot';
import { checkoutFolders } from '../../cluster/layout.ts';
import { built } from '../../tools/go-program.ts';
import { checkout } from '../../tools/target.ts';
import { capturesPath } from './capture-requests.ts';
import { kubectl } from './run-kubectl.ts';

/** What somebody believes that there is: the recordings of each capture of a namespace, in words. */
export type KnownCaptures = Readonly<Record<string, readonly string[]>>;

/** An informer: a program that keeps a copy of a collection by list and watch, as controllers do. */
export type InformedCaptures = AsyncDisposable & {
  /** What it has in its cache; undefined until its first list is complete. */
  readonly known: () => Promise<KnownCaptures | undefined>;
};

const { kubeconfig } = checkoutFolders(checkout);

/** Known captures as a text that is the same for the same. */
export function textOfCaptures(known: KnownCaptures | undefined): string {
  return JSON.stringify(Object.entries(known ?? {}).toSorted(([a], [b]) => a.localeCompare(b)));
}

/** What a list of the API server has now. */
export async function listedCaptures(namespace: string): Promise<KnownCaptures> {
  const list = v.parse(listSchema, JSON.parse(await kubectl('get', '--raw', capturesPath(namespace))));
  return Object.fromEntries(list.items.map(({ metadata, status }) => [metadata.name, inWords(status)]));
}

/** client-go's informer (cluster/modules/informer), which uses WatchList by default. */
export async function goInformer(namespace: string): Promise<InformedCaptures> {
  const program = await built('informer');
  const child = spawn(program, ['--kubeconfig', kubeconfig, '--namespace', namespace], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async known() {
      child.stdin.write('\n');
      const { value } = await lines.next();
      const { synced, objects } = v.parse(cacheSchema, JSON.parse(value ?? ''));
      if (!synced) return undefined;
      const entries = Object.entries(objects).map(
        ([key, { status }]) => [key.split('/')[1] ?? '', inWords(status)] as const,
      );
      return Object.fromEntries(entries);
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** The informer of @kubernetes/client-node, which starts again whenever it ends with an error. */
export async function nodeInformer(namespace: string): Promise<InformedCaptures> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const api = config.makeApiClient(CustomObjectsApi);
  const resource = { group: 'podcap.dev', version: 'v1alpha1', namespace, plural: 'captures' };
  const informer = makeInformer<KubernetesObject>(config, capturesPath(namespace), () =>
    api.listNamespacedCustomObject(resource),
  );
  let isStopped = false;
  let restarting: NodeJS.Timeout | undefined;
  // As its documentation says: it stops at an error, and its user starts it again.
  informer.on('error', () => {
    if (!isStopped) restarting = setTimeout(() => void informer.start().catch(() => {}), 1_000);
  });
  await informer.start();
  return {
    async known() {
      const objects = informer.list(namespace).map((object) => v.parse(objectSchema, object));
      return Object.fromEntries(objects.map(({ metadata, status }) => [metadata.name, inWords(status)]));
    },
    async [Symbol.asyncDispose]() {
      isStopped = true;
      clearTimeout(restarting);
      await informer.stop();
    },
  };
}

const statusSchema = v.object({ recordings: v.array(v.object({ uid: v.string(), phase: v.string() })) });
const objectSchema = v.object({ metadata: v.object({ name: v.string() }), status: statusSchema });
const listSchema = v.object({ items: v.array(objectSchema) });
const cacheSchema = v.object({
  synced: v.boolean(),
  objects: v.record(v.string(), v.object({ status: statusSchema })),
});

/** Without the counters, which a watch reports once a minute. */
function inWords({ recordings }: v.InferOutput<typeof statusSchema>): string[] {
  return recordings.map(({ uid, phase }) => `${uid} ${phase}`);
}
