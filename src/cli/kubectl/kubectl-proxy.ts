import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onAbort } from '../../base/on-abort.ts';
import type { Kubectl } from './kubectl.ts';

/** A running `kubectl proxy`. Disposing of it ends it. */
export type KubectlProxy = AsyncDisposable & {
  /** A Unix socket that only this user reaches. */
  readonly socketPath: string;
  /** Resolves once it has ended, whatever the reason. */
  readonly ended: Promise<ProxyEnd>;
};

/** How it ended: with an exit code, or by a signal. */
export type ProxyEnd = { readonly kind: 'ended'; readonly how: string };

export type ProxyRules = {
  /** Regular expressions of paths that pass. kubectl splits its list at commas, so they have none. */
  readonly paths: readonly string[];
  readonly methods: readonly string[];
};

/**
 * Starts `kubectl proxy`; returns once it listens, or how it ended before. It has the standard input and the standard
 * error of this process: so its errors, and the prompts of a login, are on the terminal as they are.
 */
export async function startKubectlProxy(
  kubectl: Kubectl,
  rules: ProxyRules,
  signal: AbortSignal,
): Promise<KubectlProxy | ProxyEnd> {
  signal.throwIfAborted();
  const folder = await mkdtemp(join(socketParent(), folderPrefix));
  const socketPath = join(folder, socketName);
  const args = [
    '-c',
    guardScript,
    'podcap',
    folder,
    kubectl.program,
    ...proxyArguments(socketPath, kubectl, rules),
  ];
  const child = spawn('/bin/sh', args, { env: kubectl.env, stdio: ['inherit', 'pipe', 'inherit', 'pipe'] });
  const stdout = socketOf(child.stdout);
  const proxy = proxyOf(child, folder);
  using _ = onAbort(signal, () => void proxy[Symbol.asyncDispose]());
  // Its first line says that it listens.
  const first = await Promise.race([once(stdout, 'data'), proxy.ended]);
  stdout.resume();
  if (!signal.aborted && !('kind' in first)) return proxy;
  await proxy[Symbol.asyncDispose]();
  signal.throwIfAborted();
  return await proxy.ended;
}

/**
 * kubectl proxy does not notice when the program that started it dies. So a second process waits for the end of what
 * this process holds open on descriptor 3, which ends with it in any way, and then ends kubectl, with all that it has
 * started: some have a script as their kubectl. A line says that kubectl has ended by itself.
 *
 * kubectl stays in the foreground of the terminal, because a login may ask for a password there. It does not end by
 * itself at Ctrl-C: the command may still have to send something.
 */
const guardScript = `
folder=$1
shift
trap '' INT QUIT HUP
(
  trap '' TERM
  read -r line <&3 || kill -TERM $$ $(ps -A -o pid= -o ppid= | awk -v root=$$ '
    { parent[$1] = $2 }
    END {
      for (pid in parent) {
        up = pid
        for (depth = 0; depth < 50 && up != root && up in parent; depth++) up = parent[up]
        if (up == root && pid != root) print pid
      }
    }
  ')
  rm -f "$folder/socket"
  rmdir "$folder"
) </dev/null >/dev/null 2>&1 &
exec "$@" 3<&-
`;

const folderPrefix = 'podcap-';
const socketName = 'socket';

/** Where folders of sockets can be: the path of a socket has 103 bytes at most on macOS. */
function socketParent(): string {
  const length = Buffer.byteLength(join(tmpdir(), `${folderPrefix}XXXXXX`, socketName));
  return length <= 100 ? tmpdir() : '/tmp';
}

function proxyArguments(socketPath: string, { flags }: Kubectl, { paths, methods }: ProxyRules): string[] {
  const rejected = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE'].filter(
    (method) => !methods.includes(method),
  );
  return [
    'proxy',
    `--unix-socket=${socketPath}`,
    `--accept-paths=${paths.map((path) => `^${path}$`).join(',')}`,
    // By default, it rejects a Pod in a namespace `pods` whose name begins with exec or attach. Which paths pass is said above.
    '--reject-paths=^$',
    '--accept-hosts=^localhost$',
    `--reject-methods=^(${rejected.join('|')})$`,
    // The server of a kubeconfig can have a path, as behind Rancher's proxy.
    '--append-server-path',
    ...flags,
  ];
}

function proxyOf(child: ChildProcess, folder: string): KubectlProxy {
  const ended = endOf(child);
  const lifeline = socketOf(child.stdio[3]);
  // The guard is gone if somebody has killed it.
  lifeline.on('error', () => {});
  child.once('exit', () => lifeline.end('\n'));
  let disposing: Promise<void> | undefined;
  async function dispose(): Promise<void> {
    lifeline.destroy();
    const timer = setTimeout(() => child.kill('SIGKILL'), guardMs);
    await ended;
    clearTimeout(timer);
    await rm(folder, { recursive: true, force: true });
  }
  return {
    socketPath: join(folder, socketName),
    ended,
    [Symbol.asyncDispose]: () => (disposing ??= dispose()),
  };
}

function socketOf(stream: unknown): Socket {
  if (stream instanceof Socket) return stream;
  throw new Error('not a pipe of Node.js');
}

/** The guard ends kubectl within milliseconds, unless it was killed itself. */
const guardMs = 2_000;

function endOf(child: ChildProcess): Promise<ProxyEnd> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ kind: 'ended', how: error.message }));
    child.once('exit', (code, name) => {
      const how = code === null ? `it was ended by ${name}` : `it ended with exit code ${code}`;
      resolve({ kind: 'ended', how });
    });
  });
}
