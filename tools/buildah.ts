import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../cluster/run-command.ts';

/** buildah with a storage of its own, which neither reads nor changes what the machine has of it. */
export type Buildah = {
  /** Runs a buildah command and gives its standard output. */
  readonly run: (args: readonly string[], options?: BuildahOptions) => Promise<string>;
};

export type BuildahOptions = {
  readonly cwd?: string;
  readonly onOutput?: (chunk: string) => void;
};

/** Opens the storage in `folder`, making it if need be. One user at a time. */
export function openBuildah(folder: string): Buildah {
  const files = writeConfiguration(folder);
  // What it mounts must not outlive it: a mount namespace and pids that end with it, not with the machine.
  const inOwnNamespaces = ['--mount', '--pid', '--mount-proc', '--fork', '--kill-child', '--'];
  const environment = {
    ...process.env,
    TMPDIR: files.temporary, // else it keeps what RUN --mount caches in /var/tmp
    BUILDAH_ISOLATION: 'chroot',
    CONTAINERS_CONF: '/dev/null',
    CONTAINERS_REGISTRIES_CONF: files.registries,
    CONTAINERS_STORAGE_CONF: files.storage,
  };
  rmSync(join(folder, 'run'), { recursive: true, force: true }); // notes of mounts that are gone with their namespace
  return {
    run: async (args, { cwd, onOutput } = {}) => {
      return await run('unshare', [...inOwnNamespaces, 'buildah', ...withPolicy(args, files.policy)], {
        environment,
        ...(cwd === undefined ? {} : { cwd }),
        ...(onOutput === undefined ? {} : { onOutput }),
      });
    },
  };
}

type Configuration = {
  readonly registries: string;
  readonly policy: string;
  readonly storage: string;
  readonly temporary: string;
};

/** Short names mean Docker Hub's, as for docker; /etc/containers is left to the machine. */
function writeConfiguration(folder: string): Configuration {
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary, { recursive: true });
  const write = (name: string, lines: readonly string[]) => {
    writeFileSync(join(folder, name), `${lines.join('\n')}\n`);
    return join(folder, name);
  };
  const roots = [`graphroot = "${join(folder, 'root')}"`, `runroot = "${join(folder, 'run')}"`];
  return {
    temporary,
    registries: write('registries.conf', [
      'unqualified-search-registries = ["docker.io"]',
      'short-name-mode = "permissive"',
    ]),
    policy: write('policy.json', ['{"default": [{"type": "insecureAcceptAnything"}]}']),
    storage: write('storage.conf', ['[storage]', 'driver = "overlay"', ...roots]),
  };
}

function withPolicy([command = '', ...args]: readonly string[], policy: string): string[] {
  const verifies = ['bud', 'commit', 'from', 'pull', 'push'].includes(command);
  return verifies ? [command, '--signature-policy', policy, ...args] : [command, ...args];
}
