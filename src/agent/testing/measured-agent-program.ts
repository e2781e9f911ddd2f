import { readdir, readFile, readlink } from 'node:fs/promises';
import { Session } from 'node:inspector/promises';
import { pino } from 'pino';
import * as v from 'valibot';
import { bootClock } from '../../base/clock.ts';
import { kubernetesClient } from '../../kubernetes/client.ts';
import { blockThreads } from '../../testbed/blocked-threads.ts';
import { runAgent } from '../agent.ts';
import { settingsSchema } from '../settings.ts';

/** The resources that a process uses. */
export type AgentUsage = {
  readonly rssAnonKib: number;
  readonly heapKib: number;
  /** Without sockets. */
  readonly descriptors: number;
  readonly sockets: number;
  readonly watches: number;
};

/**
 * The agent in a child process, for tests of its memory, descriptors and threads. Its parent names the API server. It
 * answers the message `usage?` with its usage after a garbage collection, blocks the threads in which it accesses files
 * at the message `block the threads`, and stops when its parent disconnects.
 */
async function main(): Promise<void> {
  const { server, ca, settings } = v.parse(startSchema, JSON.parse(process.argv[2] ?? ''));
  const stopping = new AbortController();
  const credentials = { kind: 'token', token: 'any' } as const;
  await using client = kubernetesClient({ server: new URL(server), ca, credentials });
  process.on('message', (message) => {
    if (message === 'block the threads') blockThreads(settings.capturesFolder);
    else void usage().then((measured) => process.send?.(measured));
  });
  process.once('disconnect', () => stopping.abort());
  const log = pino({ level: 'warn' });
  await runAgent({
    settings,
    version: 'test',
    client,
    clock: await bootClock(),
    log,
    signal: stopping.signal,
    die,
  });
}

const startSchema = v.object({ server: v.string(), ca: v.string(), settings: settingsSchema });

async function usage(): Promise<AgentUsage> {
  await collectGarbage();
  const status = await readFile('/proc/self/status', 'utf8');
  const descriptors = await readdir('/proc/self/fd');
  const targets = await Promise.all(
    descriptors.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => 'gone')),
  );
  const sockets = targets.filter((target) => target.startsWith('socket:')).length;
  const infos = await Promise.all(
    descriptors.map((fd) => readFile(`/proc/self/fdinfo/${fd}`, 'utf8').catch(() => '')),
  );
  return {
    rssAnonKib: Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]),
    heapKib: Math.round(process.memoryUsage().heapUsed / 1024),
    descriptors: descriptors.length - sockets,
    sockets,
    watches: infos.join('').match(/^inotify wd:/gm)?.length ?? 0,
  };
}

/** After globalThis.gc(), V8 keeps some MB of freed pages for 8 s or longer. This collection releases them. */
async function collectGarbage(): Promise<void> {
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.collectGarbage');
  session.disconnect();
}

function die(why: string): void {
  process.stderr.write(`${why}\n`);
  process.exit(1);
}

void main();
