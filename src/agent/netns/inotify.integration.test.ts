import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { removeCniEntry, type WrittenCniEntry, writeCniEntry } from '../../testbed/write-cni-entry.ts';

// Shortages of inotify are made for a child process in a user namespace of its own, never for the whole machine.

const neverMs = 3_600_000;

test('without any inotify instance the resync finds a network, and notices when it is deleted', async () => {
  await using scene = await cacheScene();
  await using finder = await scene.start({ resyncMs: 100, inotifyInstances: 0 });
  expect(finder.log()).toContain('EMFILE');
  for (let i = 0; i < 5; i += 1) {
    await writeCniEntry(scene.entry);
    await until(async () => (await finder.find('pod-1')) === 'sandbox1', { what: 'the network' });
    await removeCniEntry(scene.entry);
    const next = { ...scene.entry, podUid: 'pod-2', sandboxId: 'sandbox2' };
    await writeCniEntry(next);
    await until(async () => (await finder.find('pod-2')) === 'sandbox2', { what: 'the next network' });
    expect(await finder.find('pod-1')).toBeNull();
    await removeCniEntry(next);
  }
  // Logged once, not at each resync.
  expect(finder.log().split('failed to watch the folder').length - 1).toBe(1);
});

test('without any inotify instance and without a resync a network is not found', async () => {
  await using scene = await cacheScene();
  await using finder = await scene.start({ resyncMs: neverMs, inotifyInstances: 0 });
  await writeCniEntry(scene.entry);
  await scene.passTime();
  expect(await finder.find('pod-1')).toBeNull();
});

test('the resync finds what appeared while the queue of inotify overflowed, each of 5 times', async () => {
  await using scene = await cacheScene();
  await using byEvents = await scene.start({ resyncMs: neverMs });
  await using finder = await scene.start({ resyncMs: 200 });
  for (let i = 0; i < 5; i += 1) {
    const lost = { ...scene.entry, podUid: `lost-${i}`, sandboxId: `lost-${i}` };
    for (const each of [byEvents, finder]) each.signal('SIGSTOP');
    await scene.overflow();
    await writeCniEntry(lost);
    for (const each of [byEvents, finder]) each.signal('SIGCONT');
    await until(async () => (await finder.find(lost.podUid)) === lost.sandboxId, {
      what: 'the network whose events were lost',
    });
    // Inotify works again and never reported the lost one: so there was an overflow.
    await scene.untilReported(byEvents, `later-${i}`);
    expect(await byEvents.find(lost.podUid)).toBeNull();
    await removeCniEntry(lost);
  }
});

async function cacheScene() {
  const testbed = await vethTestbed();
  const other = await vethTestbed();
  const cache = await temporaryFolder();
  const entry: WrittenCniEntry = {
    folder: cache.path,
    podUid: 'pod-1',
    sandboxId: 'sandbox1',
    netns: testbed.netns,
  };
  const started = { resultsFolder: cache.path, netnsFolder: dirname(testbed.netns) };
  return {
    entry,
    start: (how: { resyncMs: number; inotifyInstances?: number }) => startFinder({ ...started, ...how }),
    /** Makes more events than the kernel queues for one reader. */
    async overflow(): Promise<void> {
      const queueLength = Number(await readFile('/proc/sys/fs/inotify/max_queued_events', 'utf8'));
      // Each file makes three: created, written, deleted. Equal events in a row would count once.
      for (let events = 0; events <= queueLength; events += 3) {
        const path = join(cache.path, `.noise-${events % 2}`);
        await writeFile(path, 'noise');
        await rm(path);
      }
    },
    async untilReported(finder: Finder, uid: string): Promise<void> {
      const later = { ...entry, podUid: uid, sandboxId: uid, netns: other.netns };
      await writeCniEntry(later);
      await until(async () => (await finder.find(uid)) === uid, { what: 'a later network' });
      await removeCniEntry(later);
    },
    /** Waits as long as it takes another finder to start and to find the network. */
    async passTime(): Promise<void> {
      await using another = await startFinder({ ...started, resyncMs: 20 });
      await until(async () => (await another.find('pod-1')) === 'sandbox1', { what: 'the network' });
    },
    async [Symbol.asyncDispose]() {
      for (const each of [cache, other, testbed]) await each[Symbol.asyncDispose]();
    },
  };
}

type Finder = Awaited<ReturnType<typeof startFinder>>;

async function startFinder({
  inotifyInstances,
  ...options
}: {
  resultsFolder: string;
  netnsFolder: string;
  resyncMs: number;
  inotifyInstances?: number;
}) {
  const program = join(import.meta.dirname, '../testing/networks-program.ts');
  const command = [process.execPath, program, JSON.stringify(options)];
  const limit = `echo ${inotifyInstances} >/proc/sys/user/max_inotify_instances && exec "$@"`;
  const inNamespace = ['unshare', '--user', '--map-root-user', 'bash', '-c', limit, 'bash'];
  const [first = '', ...rest] = inotifyInstances === undefined ? command : [...inNamespace, ...command];
  // Each of these programs execs the next, so signals reach the finder.
  const child = spawn(first, rest, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => (text += part));
  await once(child, 'message');
  return {
    log: () => text,
    signal: (name: NodeJS.Signals) => child.kill(name),
    /** The sandbox of the Pod's network, or null. */
    async find(uid: string): Promise<string | null> {
      child.send({ namespace: 'default', name: 'web', uid });
      const [network] = v.parse(answerSchema, await once(child, 'message'));
      return network?.sandboxId ?? null;
    },
    async [Symbol.asyncDispose]() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

const answerSchema = v.tuple([v.nullable(v.object({ sandboxId: v.string() })), v.unknown()]);
