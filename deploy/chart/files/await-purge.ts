// Ends when the Pods of the DaemonSet $DAEMONSET are ready on every Node that should have one: each has purged then.
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port, NAMESPACE, DAEMONSET } = process.env;
const name = host?.includes(':') ? `[${host}]` : host;
const url = `https://${name}:${port}/apis/apps/v1/namespaces/${NAMESPACE}/daemonsets/${DAEMONSET}`;

for (let last = ''; ; await sleep(1_000)) {
  const token = await readFile('/var/run/secrets/kubernetes.io/serviceaccount/token', 'utf8');
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok) throw new Error(`${url} answers ${response.status}: ${await response.text()}`);
  const { metadata, status } = JSON.parse(await response.text());
  const isCounted = status.observedGeneration >= metadata.generation;
  const now = `${status.numberReady} of ${isCounted ? status.desiredNumberScheduled : '?'} Nodes are purged`;
  if (now !== last) console.log(now);
  last = now;
  if (isCounted && status.numberReady >= status.desiredNumberScheduled) break;
}
