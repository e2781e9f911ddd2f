import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { until } from '../src/base/until.ts';
import { terminalShell } from '../src/cli/testing/terminal-shell.ts';
import { readBytes } from '../src/pcap/testing/read-capture.ts';
import { temporaryFolder } from '../src/testbed/temporary-folder.ts';
import { capturedPod, sendCaptured } from './support/captured-pod.ts';
import { test } from './support/cluster-test.ts';
import { range } from './support/consecutive.ts';
import { killHub, readyHubs, waitForHubs } from './support/hub-pods.ts';
import { largeDatagrams, largeRecording } from './support/large-recording.ts';
import { numbersInCapture } from './support/numbers-in-capture.ts';
import { idle, sender } from './support/pod-manifests.ts';
import { podcapCli, podcapEnvironment, podcapProgram } from './support/podcap-cli.ts';

test('save merges the recordings of Pods on two Nodes, also of one that is gone', async ({
  cluster,
  receiver,
}) => {
  await using folder = await temporaryFolder();
  const { namespace } = cluster;
  const web = await capturedPod(cluster, 'web');
  const db = await capturedPod(cluster, 'db', { node: 'node2' });
  await sendCaptured(cluster, web, { receiver, first: 0, count: 10 });
  await sendCaptured(cluster, db, { receiver, first: 10, count: 10 });
  await sendCaptured(cluster, web, { receiver, first: 20, count: 10 });
  await cluster.delete('db', '--grace-period=0', '--force');
  const to = join(folder.path, 'both.pcapng');
  await using saving = podcapCli('-n', namespace, 'save', 'web', 'db', '--to', to);
  const { code, stderr } = await saving.ended;
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('of 2 Pods') });
  const bytes = await readFile(to);
  expect(await numbersInCapture(bytes)).toEqual(range(0, 30));
  const names = (await readBytes(bytes)).interfaces.map(({ name }) => name);
  expect(names).toEqual([`${namespace}/web/eth0`, `${namespace}/db/eth0`]);
});

test('save is complete although the hub is killed in the middle', async ({ cluster }) => {
  await using folder = await temporaryFolder();
  await largeRecording(cluster);
  const to = join(folder.path, 'large.pcapng');
  await using shell = terminalShell('bash --norc', podcapEnvironment);
  const command = [...podcapProgram, '-n', cluster.namespace, 'save', 'large', '--to', to].join(' ');
  shell.type(`${command}; echo "ended with $?"\n`);
  await shell.shows('saving: ');
  const hubs = await readyHubs();
  await Promise.all(hubs.map(killHub));
  const shown = await shell.shows('ended with ');
  expect(shown).toContain('it is started over in');
  expect(shown).toMatch(/saved \d+ packets of 1 Pod \(\d+ MB\)/);
  expect(await numbersInCapture(await readFile(to))).toEqual(range(0, largeDatagrams));
  await waitForHubs(hubs.length);
});

test('live shows Pods of two Nodes, and what becomes of them', async ({ cluster, receiver }) => {
  const { namespace } = cluster;
  const { address: to, port } = receiver;
  const labels = { app: 'senders' };
  const traffic = { to, port, rate: 20, bytes: 100, labels };
  await cluster.start(sender({ name: 'one', node: 'node1', ...traffic }));
  await cluster.start(sender({ name: 'two', node: 'node2', ...traffic }));
  await using watching = podcapCli('-n', namespace, 'live', '-l', 'app=senders', '--filter', 'udp');
  const shows = (name: string) =>
    until(() => watching.printed().includes(` ${name} `), { what: `packets of ${name}`, deadlineMs: 30_000 });
  await Promise.all([shows('one'), shows('two')]);
  await cluster.start(sender({ name: 'three', node: 'node2', ...traffic }));
  await shows('three');
  await cluster.delete('one', '--grace-period=0', '--force');
  await until(() => watching.said().includes('one: the Pod '), {
    what: 'the end of a Pod',
    deadlineMs: 30_000,
  });
  watching.interrupt();
  const { code, stdout, stderr } = await watching.ended;
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringMatching(/packets of 3 Pods in/) });
  expect(stderr).toContain('podcap: three has come, and is watched');
  const times = stdout.toString().match(/^\d\d:\d\d:\d\d\.\d+/gm) ?? [];
  expect(times.length).toBeGreaterThan(40);
  expect(times).toEqual(times.toSorted());
});

test('live goes on when the hub is killed, and says what is missing', async ({ cluster, receiver }) => {
  const { address: to, port } = receiver;
  await cluster.start(sender({ name: 'steady', node: 'node1', to, port, rate: 20, bytes: 100 }));
  await using watching = podcapCli('-n', cluster.namespace, 'live', 'steady', '--filter', 'udp');
  const lines = () => watching.printed().split('\n').length;
  await until(() => lines() > 5, { what: 'packets', deadlineMs: 30_000 });
  const hubs = await readyHubs();
  await Promise.all(hubs.map(killHub));
  await until(() => watching.said().includes('steady is watched again'), {
    what: 'the stream to be opened again',
    deadlineMs: 90_000,
  });
  const before = lines();
  await until(() => lines() > before + 5, { what: 'more packets', deadlineMs: 30_000 });
  watching.interrupt();
  expect(await watching.ended).toMatchObject({ code: 3 });
  await waitForHubs(hubs.length);
});

test('a Pod that does not exist is said at once', async ({ cluster }) => {
  await cluster.start(idle({ name: 'quiet' }));
  await using watching = podcapCli('-n', cluster.namespace, 'live', 'quiet', 'nobody');
  const { code, stderr } = await watching.ended;
  expect([code, stderr]).toEqual([1, expect.stringContaining('there is no Pod nobody in namespace')]);
});
