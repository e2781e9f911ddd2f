import { appendFile, mkdir, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { run } from '../../testbed/run-program.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import {
  cniEntryText,
  entryPath,
  removeCniEntry,
  type WrittenCniEntry,
  writeCniEntry,
} from '../../testbed/write-cni-entry.ts';
import type { PodInNetwork } from './cni-entry.ts';
import { type PodNetworks, watchPodNetworks } from './pod-networks.ts';

const log = pino({ level: 'silent' });
/** Without resync, so that a network must be found by inotify. */
const neverMs = 3_600_000;

test('an entry that appears is reported and found', async () => {
  await using testbed = await vethTestbed();
  await using scene = await cacheScene(testbed.netns);
  const reports = scene.listen('pod-1');
  await writeCniEntry(scene.entry);
  expect(await untilFound(scene.networks)).toEqual({
    sandboxId: 'sandbox1',
    netns: testbed.netns,
    addresses: ['10.244.0.5'],
  });
  expect(reports.times).toBeGreaterThan(0);
  expect(await scene.networks.find(podOf('pod-2'))).toBeUndefined();
});

test.each<[string, (entry: WrittenCniEntry) => Promise<void>]>([
  ['deleted', removeCniEntry],
  ['cut', (entry) => truncate(entryPath(entry), 100)],
  ['emptied', (entry) => truncate(entryPath(entry), 0)],
  ['overwritten', (entry) => writeFile(entryPath(entry), '\u0000{]')],
  ['deleted with its folder', (entry) => rm(entry.folder, { recursive: true })],
])('a network whose entry is %s is found until its interface is gone', async (_what, damage) => {
  await using testbed = await vethTestbed();
  await using scene = await cacheScene(testbed.netns, dirname(testbed.netns), 20);
  await writeCniEntry(scene.entry);
  const network = await untilFound(scene.networks);
  const reports = scene.listen('pod-1');
  await damage(scene.entry);
  await until(() => reports.times > 0, { what: 'the damage to be noticed' });
  expect(await scene.networks.find(podOf('pod-1'))).toEqual(network);
  scene.networks.forget(network);
  expect(await scene.networks.find(podOf('pod-1'))).toBeUndefined();
});

test('a sandbox whose entry is deleted is not found again when the next one is gone', async () => {
  await using testbed = await vethTestbed();
  await using scene = await cacheScene(testbed.netns);
  await writeCniEntry(scene.entry);
  await untilFound(scene.networks);
  await removeCniEntry(scene.entry);
  const next = { ...scene.entry, sandboxId: 'sandbox2', netns: '/run/netns/cni-gone' };
  await writeCniEntry(next);
  await scene.untilRead();
  expect(await scene.networks.find(podOf('pod-1'))).toBeUndefined();
});

test('a network whose entry is lost is not found once its namespace is gone', async () => {
  await using testbed = await vethTestbed();
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'cni-1');
  await using mounted = await mountNamespace(testbed.netns, path);
  await using scene = await cacheScene(path, folder.path);
  await writeCniEntry(scene.entry);
  await untilFound(scene.networks);
  const reports = scene.listen('pod-1');
  await removeCniEntry(scene.entry);
  await until(() => reports.times > 0, { what: 'the loss to be noticed' });
  expect(await scene.networks.find(podOf('pod-1'))).toBeDefined();
  await run(['umount', mounted.path]);
  expect(await scene.networks.find(podOf('pod-1'))).toBeUndefined();
  await run(['mount', '--bind', testbed.netns, path]);
});

test("a network whose entry is lost is the next Pod's once an entry gives it to that Pod, which then keeps it", async () => {
  await using testbed = await vethTestbed();
  await using scene = await cacheScene(testbed.netns);
  await writeCniEntry(scene.entry);
  await untilFound(scene.networks);
  await removeCniEntry(scene.entry);
  const next = { ...scene.entry, podUid: 'pod-2', sandboxId: 'sandbox2' };
  await writeCniEntry(next);
  await untilFound(scene.networks, 'pod-2');
  await removeCniEntry(next);
  await scene.untilRead();
  expect(await scene.networks.find(podOf('pod-2'))).toMatchObject({ sandboxId: 'sandbox2' });
  expect(await scene.networks.find(podOf('pod-1'))).toBeUndefined();
});

test('what is missing is named: the entry, its namespace, or another Pod that claims it', async () => {
  await using testbed = await vethTestbed();
  await using scene = await cacheScene(testbed.netns);
  const absence = () => scene.networks.absence(podOf('pod-1'));
  expect(absence()).toBe(
    `no readable entry of its interface eth0 in the CNI cache ${scene.entry.folder}; no Pod has one`,
  );
  await writeCniEntry({ ...scene.entry, netns: '/run/netns/cni-gone' });
  await scene.untilRead();
  expect(absence()).toMatch(/^its network namespace does not exist: .*cni-gone$/);
  await writeCniEntry(scene.entry);
  await writeCniEntry({ ...scene.entry, podUid: 'pod-2', sandboxId: 'sandbox2' });
  await until(() => absence().startsWith('another Pod claims its network'), { what: 'the dispute' });
});

test('a Pod with another namespace or name does not get a network by its UID alone', async () => {
  await using testbed = await vethTestbed();
  await using scene = await cacheScene(testbed.netns);
  await writeCniEntry(scene.entry);
  await untilFound(scene.networks);
  expect(await scene.networks.find({ ...podOf('pod-1'), namespace: 'other' })).toBeUndefined();
  expect(await scene.networks.find({ ...podOf('pod-1'), name: 'other' })).toBeUndefined();
});

test('an entry that is half written is read when it is complete', async () => {
  await using testbed = await vethTestbed();
  await using scene = await cacheScene(testbed.netns);
  const text = cniEntryText(scene.entry);
  await writeFile(entryPath(scene.entry), text.slice(0, 200));
  await scene.untilRead();
  expect(await scene.networks.find(podOf('pod-1'))).toBeUndefined();
  await appendFile(entryPath(scene.entry), text.slice(200));
  expect(await untilFound(scene.networks)).toMatchObject({ sandboxId: 'sandbox1' });
});

test.each<[string, (entry: WrittenCniEntry) => Promise<void>]>([
  ['empty', (entry) => writeFile(entryPath(entry), '')],
  ['garbage', (entry) => writeFile(entryPath(entry), '\u0000{]')],
  [
    'another kind',
    (entry) => writeFile(entryPath(entry), cniEntryText(entry).replace('cniCacheV1', 'cniCacheV2')),
  ],
  ['a loopback', (entry) => writeCniEntry({ ...entry, network: 'cni-loopback', interface: 'lo' })],
  ['an additional network', (entry) => writeCniEntry({ ...entry, interface: 'net1' })],
  [
    'of a network namespace that is gone',
    (entry) => writeCniEntry({ ...entry, netns: '/run/netns/cni-gone' }),
  ],
  [
    'of a path outside the mounted folder',
    (entry) => writeCniEntry({ ...entry, netns: `/x/../${entry.netns}` }),
  ],
  ['a folder', (entry) => mkdir(entryPath(entry))],
  ['a pipe without a writer', async (entry) => void (await run(['mkfifo', entryPath(entry)]))],
  [
    'a link to an entry',
    async (entry) => {
      await using elsewhere = await temporaryFolder();
      const there = { ...entry, folder: elsewhere.path };
      await writeCniEntry(there);
      await symlink(entryPath(there), entryPath(entry));
    },
  ],
  [
    'too long',
    async (entry) => {
      await using elsewhere = await temporaryFolder();
      const there = join(elsewhere.path, 'entry');
      // Half of it would be a valid entry.
      await writeFile(there, cniEntryText(entry).padEnd(1_048_577));
      await rename(there, entryPath(entry));
    },
  ],
])('no network is found from an entry that is %s', { repeats: 4 }, async (_what, write) => {
  await using testbed = await vethTestbed();
  await using scene = await cacheScene(testbed.netns);
  await write(scene.entry);
  await scene.untilRead();
  expect(await scene.networks.find(podOf('pod-1'))).toBeUndefined();
});

test.each<[string, (path: string, netns: string) => Promise<unknown>]>([
  ['a regular file, as after a reboot', (path) => writeFile(path, '')],
  ['a folder', (path) => mkdir(path)],
  ['a link to a network namespace', (path, netns) => symlink(netns, path)],
  ["a link to the agent's network namespace", (path) => symlink('/proc/self/ns/net', path)],
])('no network is found at a path that is %s', { repeats: 4 }, async (_what, make) => {
  await using testbed = await vethTestbed();
  await using folder = await temporaryFolder();
  await make(join(folder.path, 'cni-1'), testbed.netns);
  await using scene = await cacheScene('/run/netns/cni-1', folder.path);
  await writeCniEntry(scene.entry);
  await scene.untilRead();
  expect(await scene.networks.find(podOf('pod-1'))).toBeUndefined();
});

test("the agent's own network namespace is not a Pod's, wherever it is mounted", { repeats: 4 }, async () => {
  await using folder = await temporaryFolder();
  await using mounted = await mountNamespace('/proc/self/ns/net', join(folder.path, 'cni-1'));
  await using scene = await cacheScene(mounted.path, folder.path);
  await writeCniEntry(scene.entry);
  await scene.untilRead();
  expect(await scene.networks.find(podOf('pod-1'))).toBeUndefined();
});

test('neither Pod gets a network that two Pods have, until only one of them has it', {
  repeats: 4,
}, async () => {
  await using testbed = await vethTestbed();
  await using scene = await cacheScene(testbed.netns);
  await writeCniEntry(scene.entry);
  await untilFound(scene.networks);
  const other = { ...scene.entry, podUid: 'pod-2', sandboxId: 'sandbox2' };
  await writeCniEntry(other);
  await scene.untilRead();
  for (const uid of ['pod-1', 'pod-2']) expect(await scene.networks.find(podOf(uid))).toBeUndefined();
  await removeCniEntry(scene.entry);
  expect(await untilFound(scene.networks, 'pod-2')).toMatchObject({ sandboxId: 'sandbox2' });
});

test('a new sandbox replaces an older one whose entry has a time in the future', {
  repeats: 4,
}, async () => {
  await using older = await vethTestbed();
  await using newer = await vethTestbed();
  await using scene = await cacheScene(older.netns);
  await writeCniEntry(scene.entry);
  const tomorrow = new Date(Date.now() + 86_400_000);
  await utimes(entryPath(scene.entry), tomorrow, tomorrow);
  await untilFound(scene.networks);
  await writeCniEntry({ ...scene.entry, sandboxId: 'sandbox2', netns: newer.netns });
  await scene.untilRead();
  expect(await scene.networks.find(podOf('pod-1'))).toMatchObject({ sandboxId: 'sandbox2' });
});

test('a Pod is found among 10,000 entries, as an old Node has them, at the start and later', {
  repeats: 4,
}, async () => {
  await using testbed = await vethTestbed();
  await using cache = await temporaryFolder();
  const entry = { folder: cache.path, podUid: 'pod-1', sandboxId: 'sandbox1', netns: testbed.netns };
  for (let i = 0; i < 10_000; i += 1) {
    const stale = { podUid: `stale-${i}`, sandboxId: `stale-${i}`, netns: `/run/netns/cni-${i}` };
    await writeCniEntry({ ...entry, ...stale, ...(i % 2 && { network: 'cni-loopback', interface: 'lo' }) });
  }
  await writeCniEntry(entry);
  await using networks = await watchPodNetworks({
    resultsFolder: cache.path,
    netnsFolder: dirname(testbed.netns),
    resyncMs: neverMs,
    log,
  });
  expect(await networks.find(podOf('pod-1'))).toMatchObject({ sandboxId: 'sandbox1' });
  await writeCniEntry({ ...entry, podUid: 'pod-2', sandboxId: 'sandbox2' });
  await removeCniEntry(entry);
  expect(await untilFound(networks, 'pod-2')).toMatchObject({ sandboxId: 'sandbox2' });
});

test('the newest sandbox of a Pod that has a network namespace is its network', async () => {
  await using older = await vethTestbed();
  await using newer = await vethTestbed();
  await using scene = await cacheScene(older.netns);
  await writeCniEntry(scene.entry);
  await untilFound(scene.networks);
  const second = { ...scene.entry, sandboxId: 'sandbox2', netns: newer.netns };
  await writeCniEntry(second);
  await until(async () => (await scene.networks.find(podOf('pod-1')))?.sandboxId === 'sandbox2', {
    what: 'the newer sandbox',
  });
  await writeCniEntry({ ...second, netns: '/run/netns/cni-gone' });
  const sandbox = async () => (await scene.networks.find(podOf('pod-1')))?.sandboxId;
  await until(async () => (await sandbox()) !== 'sandbox2', { what: 'the newer sandbox to be dropped' });
  expect(await sandbox()).toBe('sandbox1');
});

test('the Pods of the cache are counted, each once', { repeats: 4 }, async () => {
  await using scene = await cacheScene('/run/netns/cni-gone');
  expect(scene.networks.count()).toBe(0);
  await writeCniEntry(scene.entry);
  await writeCniEntry({ ...scene.entry, sandboxId: 'sandbox2' });
  await writeCniEntry({ ...scene.entry, podUid: 'pod-2', sandboxId: 'sandbox3' });
  await writeFile(join(scene.entry.folder, 'network-sandbox4-eth0'), '');
  await scene.untilRead();
  // The third is the one that untilRead() writes.
  expect(scene.networks.count()).toBe(3);
  await removeCniEntry(scene.entry);
  await until(() => scene.networks.count() === 3, { what: 'the Pod to be counted by its other sandbox' });
  await removeCniEntry({ ...scene.entry, podUid: 'pod-2', sandboxId: 'sandbox3' });
  await until(() => scene.networks.count() === 2, { what: 'the Pod to be counted no more' });
});

test('a folder that appears later, or is replaced, is followed after a resync', async () => {
  await using testbed = await vethTestbed();
  await using parent = await temporaryFolder();
  const folder = join(parent.path, 'results');
  await using networks = await watchPodNetworks({
    resultsFolder: folder,
    netnsFolder: dirname(testbed.netns),
    resyncMs: 20,
    log,
  });
  const entry = { folder, podUid: 'pod-1', sandboxId: 'sandbox1', netns: testbed.netns };
  await mkdir(folder);
  await writeCniEntry(entry);
  await untilFound(networks);
  await rename(folder, join(parent.path, 'old'));
  await mkdir(folder);
  await writeCniEntry({ ...entry, podUid: 'pod-2' });
  expect(await untilFound(networks, 'pod-2')).toMatchObject({ sandboxId: 'sandbox1' });
  // The old entry is forgotten: its network is another Pod's now.
  expect(await networks.find(podOf('pod-1'))).toBeUndefined();
});

async function cacheScene(netns: string, netnsFolder = dirname(netns), resyncMs = neverMs) {
  const cache = await temporaryFolder();
  const networks = await watchPodNetworks({
    resultsFolder: cache.path,
    netnsFolder,
    resyncMs,
    log,
  });
  const entry: WrittenCniEntry = { folder: cache.path, podUid: 'pod-1', sandboxId: 'sandbox1', netns };
  return {
    networks,
    entry,
    listen(uid: string) {
      const reports = { times: 0 };
      networks.onChange(uid, () => (reports.times += 1));
      return reports;
    },
    /** Waits for the report of another entry: by then, entries written before it have been read. */
    async untilRead(): Promise<void> {
      const reports = this.listen('last');
      await writeCniEntry({ ...entry, podUid: 'last', sandboxId: 'last', netns: '/run/netns/cni-last' });
      await until(() => reports.times > 0, { what: 'the entries to be read' });
    },
    async [Symbol.asyncDispose]() {
      await networks[Symbol.asyncDispose]();
      await cache[Symbol.asyncDispose]();
    },
  };
}

/** Mounts it as a runtime mounts a Pod's network namespace. */
async function mountNamespace(source: string, path: string) {
  await writeFile(path, '');
  await run(['mount', '--bind', source, path]);
  return { path, [Symbol.asyncDispose]: async () => void (await run(['umount', path])) };
}

async function untilFound(networks: PodNetworks, uid = 'pod-1') {
  return await until(() => networks.find(podOf(uid)), { what: `the network of ${uid}` });
}

/** The Pod that the testbed's entries name. */
function podOf(uid: string): PodInNetwork {
  return { namespace: 'default', name: 'web', uid };
}
