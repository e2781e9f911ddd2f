import { expect } from 'vitest';
import { restartAgents } from './support/agent-daemonset.ts';
import { capturedPod, sendCaptured } from './support/captured-pod.ts';
import { test } from './support/cluster-test.ts';
import { range } from './support/consecutive.ts';
import { waitForTcpdumps } from './support/pod-processes.ts';
import { numbersIn, waitForGeneration } from './support/ring-contents.ts';

const files = 5;

test('rollouts of the agents and changed filters cost a Pod that sends nothing any more none of its packets', async ({
  cluster,
  receiver,
}) => {
  const web = await capturedPod(cluster, 'quiet');
  const sent = range(0, 50);
  expect(await sendCaptured(cluster, web, { receiver })).toEqual(sent);
  // More often than the ring has files.
  for (let times = 1; times <= files; times += 1) {
    await cluster.annotate('quiet', { 'podcap.dev/filter': `udp port ${times}` });
    await waitForGeneration(web.folder, 1 + times);
  }
  for (let times = 1; times <= 2; times += 1) {
    await restartAgents();
    await waitForTcpdumps([web]);
    await waitForGeneration(web.folder, 1 + files + times);
    expect(await numbersIn(web.folder)).toEqual(sent);
  }
});
