import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { expect, test } from 'vitest';
import type { RecordingCounters } from '../api/capture.ts';
import { until } from '../base/until.ts';
import { list } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { countersLineSchema } from '../link/protocol.ts';
import { freePort } from '../testbed/loopback-port.ts';
import { hubScene, hubService } from './link/testing/hub-scene.ts';
import type { TestHubLink } from './link/testing/test-hub.ts';
import { parseRingFile } from './storage/file-names.ts';
import { packetsIn } from './storage/packets-in.ts';
import { agentScene } from './testing/agent-scene.ts';
import { settingsText } from './testing/settings-text.ts';

const wanted = { 'tcpdump.antrea.io': '2' };
const folderOfWeb = 'default_web_uid-web';
/** About 930 of them fill a file. */
const bytes = 1_000;

test('what an agent that was killed had captured since its last count is counted, also once it is pruned', async () => {
  await using scene = await agentScene();
  await using hubs = await hubScene(scene.server);
  await captureAndKill(scene, { count: 500, written: 500 });
  await using agent = await startSecond(scene, hubs, true);
  const counted = await agent.countedAsStored();
  expect(counted.packets).toBeGreaterThanOrEqual(500);

  await scene.testbed.sendDatagrams({ count: 4_000, rate: 4_000, bytes });
  const later = await agent.countedAsStored();
  // The ring has pushed out what the first agent captured.
  expect(await filesOf(scene.captures, 1)).toEqual([]);
  expect(later.packets).toBeGreaterThanOrEqual(930);
});

test('what its tcpdump had deleted since the last count is not taken for stored', async () => {
  await using scene = await agentScene();
  await using hubs = await hubScene(scene.server);
  await captureAndKill(scene, { count: 4_000, written: 930 });
  await using agent = await startSecond(scene, hubs, true);
  expect((await agent.countedAsStored()).packets).toBeLessThan(2_500);
});

test('also of a Pod that ended while no agent was there', async () => {
  await using scene = await agentScene();
  await using hubs = await hubScene(scene.server);
  await captureAndKill(scene, { count: 500, written: 500 });
  await using agent = await startSecond(scene, hubs, false);
  expect((await agent.countedAsStored()).packets).toBeGreaterThanOrEqual(500);
});

type Scene = Awaited<ReturnType<typeof agentScene>>;

/** Captures the Pod with an agent in a process of its own, and kills that once so many of the datagrams are in files. */
async function captureAndKill(
  scene: Scene,
  sent: { readonly count: number; readonly written: number },
): Promise<void> {
  scene.server.script.list.push(list('5', [podObject('web', '4', wanted)]));
  const settings = {
    ...settingsText,
    capturesFolder: scene.captures,
    cniResultsFolder: scene.cache,
    netnsFolder: dirname(scene.netns),
    nativeFolder: scene.nativeFolder,
    probePort: String(await freePort()),
    metricsPort: String(await freePort()),
  };
  const { server, ca } = scene.server.config;
  const program = join(import.meta.dirname, 'testing/measured-agent-program.ts');
  const agent = fork(program, [JSON.stringify({ server, ca, settings })], { stdio: 'inherit' });
  await until(() => scene.eventReasons().includes('CaptureStarted'), { what: 'the capture' });
  await scene.testbed.sendDatagrams({ count: sent.count, rate: 4_000, bytes });
  await until(async () => (await storedPackets(scene.captures)) >= sent.written, {
    what: 'the datagrams',
    deadlineMs: 30_000,
  });
  agent.kill('SIGKILL');
  await once(agent, 'exit');
  await until(async () => (await scene.tcpdumps()).length === 0, { what: 'the end of tcpdump' });
}

/** The next agent of the same name, and a hub that asks for its counters. */
async function startSecond(scene: Scene, hubs: Awaited<ReturnType<typeof hubScene>>, isThere: boolean) {
  const hub = await hubs.startHub();
  hubs.list(hub);
  scene.server.script.list.push(list('6', isThere ? [podObject('web', '4', wanted)] : []));
  const agent = await scene.start(3_600, { hub: hubService, hubTokenFile: hubs.tokenFile });
  const link = await hub.link();
  return {
    /** Resolves once it says that as many packets are stored as the files have. */
    async countedAsStored(): Promise<RecordingCounters> {
      return await until(
        async () => {
          const stored = await storedPackets(scene.captures);
          const counters = await countersOf(link);
          return stored > 0 && counters?.packets === stored && counters;
        },
        { what: 'the packets in the files to be counted', deadlineMs: 30_000 },
      );
    },
    [Symbol.asyncDispose]: agent.stop,
  };
}

async function countersOf(link: TestHubLink): Promise<RecordingCounters | undefined> {
  const { text } = await link.ask('/v1/counters?uid=uid-web');
  const [line = ''] = text.split('\n');
  return line === '' ? undefined : v.parse(countersLineSchema, JSON.parse(line)).counters;
}

async function storedPackets(captures: string): Promise<number> {
  let packets = 0;
  for (const path of await filesOf(captures)) packets += await packetsIn(path);
  return packets;
}

async function filesOf(captures: string, generation?: number): Promise<string[]> {
  const folder = join(captures, folderOfWeb);
  return (await readdir(folder)).flatMap((name) => {
    const file = parseRingFile(name);
    return file && (generation === undefined || file.generation === generation) ? [join(folder, name)] : [];
  });
}
