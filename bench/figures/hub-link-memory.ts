import { setTimeout as sleep } from 'node:timers/promises';
import { followReports } from '../../src/agent/link/testing/followed-reports.ts';
import { hubScene, hubService } from '../../src/agent/link/testing/hub-scene.ts';
import type { TestHub } from '../../src/agent/link/testing/test-hub.ts';
import { until } from '../../src/base/until.ts';
import { apiServer, list } from '../../src/kubernetes/testing/api-server.ts';
import { podObject } from '../../src/kubernetes/testing/pod-object.ts';
import { compileNative } from '../../src/testbed/compile.ts';
import { withDescendants } from '../../src/testbed/descendants.ts';
import { freePort } from '../../src/testbed/loopback-port.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { bundleAgent, startAgent } from '../contenders/bench-agent.ts';
import { memoryMegabytes } from '../contenders/process-usage.ts';
import type { Figure, Measurement, MeasureOptions, Row } from '../figure.ts';
import { rowOf } from '../support/row.ts';

/** The anonymous memory of the agent's processes with links to two hubs, beside an agent without a hub. */
export const hubLinkMemory: Figure = {
  name: 'hub-link-memory',
  unit: 'MB of RssAnon',
  goal: '<= 30 with 110 Pods, no capture and two hubs',
  runs: 30,
  needs: 'network',
  measure,
};

const podCount = 110;
const maxMegabytes = 30;
/** As often as many viewers make a hub ask. */
const askEveryMs = 1_000;

async function measure({ runs, report }: MeasureOptions): Promise<Measurement> {
  const rows: Row[] = [];
  for (const hubs of [0, 2]) {
    const values = await measureWith(hubs, runs);
    rows.push(rowOf('podcap', `${podCount} Pods, no capture, ${hubs} hubs`, values));
    report(`${hubs} hubs: ${values.at(-1)?.toFixed(1)} MB`);
  }
  return { isReached: (rows.at(-1)?.max ?? Number.NaN) <= maxMegabytes, rows };
}

async function measureWith(hubCount: number, runs: number): Promise<number[]> {
  await using opened = new AsyncDisposableStack();
  const server = opened.use(await apiServer());
  const scene = opened.use(await hubScene(server));
  const hubs: TestHub[] = [];
  while (hubs.length < hubCount) hubs.push(await scene.startHub());
  scene.list(...hubs);
  const folder = opened.use(await temporaryFolder());
  const program = await bundleAgent(folder);
  const pods = Array.from({ length: podCount }, (_, at) => podObject(`idle-${at}`, '4'));
  server.script.list.push(list('5', pods));
  const settings = {
    ...(await agentSettings(opened)),
    ...(hubCount > 0 && {
      hub: `${hubService.namespace}/${hubService.name}`,
      'hub-token-file': scene.tokenFile,
    }),
  };
  const agent = opened.use(
    await startAgent({ program, settings, server, probePort: Number(settings['probe-port']) }),
  );
  await agent.ready();
  const links = await Promise.all(hubs.map((hub) => hub.link()));
  const reports = links.map(followReports);
  await until(() => reports.every((each) => each.isSynced()), { what: 'the reports' });
  const processes = await withDescendants(agent.pid);
  const values: number[] = [];
  while (values.length < runs) {
    await Promise.all([...links.map((link) => link.ask('/v1/counters')), sleep(askEveryMs)]);
    const megabytes = await Promise.all(processes.map((pid) => memoryMegabytes(pid, 'RssAnon')));
    values.push(megabytes.reduce((sum, each) => sum + each, 0));
  }
  await agent.stop();
  return values;
}

async function agentSettings(opened: AsyncDisposableStack) {
  const [captures, cache, netns] = [
    opened.use(await temporaryFolder()),
    opened.use(await temporaryFolder()),
    opened.use(await temporaryFolder()),
  ];
  return {
    'node-name': 'node1',
    'captures-folder': captures.path,
    'cni-results-folder': cache.path,
    'netns-folder': netns.path,
    'native-folder': await compileNative(),
    'min-free-disk-percent': '0',
    'probe-port': String(await freePort()),
    'metrics-port': String(await freePort()),
  };
}
