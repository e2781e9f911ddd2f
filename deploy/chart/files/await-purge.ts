// Waits until a Pod of the DaemonSet $DAEMONSET is ready, which means has purged, on every Node that should have one.
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port, NAMESPACE, DAEMONSET } = process.env;
const name = host?.includes(':') ? `[${host}]` : host;
const url = `https://${name}:${port}/apis/apps/v1/namespaces/${NAMESPACE}/daemonsets/${DAEMONSET}`;

for (let printed = ''; ; await sleep(1_000)) {
  const token = await readFile('/var/run/secrets/kubernetes.io/serviceaccount/token', 'utf8');
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok) throw new Error(`GET ${url}: status ${response.status}: ${await response.text()}`);
  const { metadata, status } = JSON.parse(await response.text());
  const isUpToDate = status.observedGeneration >= metadata.generation;
  const progress = `${status.numberReady} of ${isUpToDate ? status.desiredNumberScheduled : '?'} Nodes are purged`;
  if (progress !== printed) console.log(progress);
  printed = progress;
  if (isUpToDate && status.numberReady >= status.desiredNumberScheduled) break;
}
