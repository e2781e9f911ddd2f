import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../cluster/run-command.ts';

/** buildah with its own storage: it neither reads nor changes the machine's buildah storage and configuration. */
export type Buildah = {
  /** Runs a buildah command and returns its standard output. */
  readonly run: (args: readonly string[], options?: BuildahOptions) => Promise<string>;
};

/** `onOutput` is called with what the command prints, while it runs. */
export type BuildahOptions = {
  readonly cwd?: string;
  readonly onOutput?: (chunk: string) => void;
};

/** Opens the storage in `folder`, and creates it if needed. Only one process may use it at a time. */
export function openBuildah(folder: string): Buildah {
  const files = writeConfiguration(folder);
  // Its mounts must not outlive it, so it runs in mount and pid namespaces that end with it.
  const inOwnNamespaces = ['--mount', '--pid', '--mount-proc', '--fork', '--kill-child', '--'];
  const environment = {
    ...process.env,
    TMPDIR: files.temporary, // otherwise the caches of RUN --mount are in /var/tmp
    BUILDAH_ISOLATION: 'chroot',
    CONTAINERS_CONF: '/dev/null',
    CONTAINERS_REGISTRIES_CONF: files.registries,
    CONTAINERS_STORAGE_CONF: files.storage,
  };
  rmSync(join(folder, 'run'), { recursive: true, force: true }); // records of mounts that ended with their namespace
  return {
    run: async (args, { cwd, onOutput } = {}) => {
      return await runCommand('unshare', [...inOwnNamespaces, 'buildah', ...withPolicy(args, files.policy)], {
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

/** Short names mean those on Docker Hub, as with docker. The machine's /etc/containers is not used. */
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
  const takesPolicy = ['bud', 'commit', 'from', 'pull', 'push'].includes(command);
  return takesPolicy ? [command, '--signature-policy', policy, ...args] : [command, ...args];
}
