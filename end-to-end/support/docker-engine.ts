import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { endMembers } from '../../cluster/cgroups.ts';
import { cacheFolder, cgroupName } from '../../cluster/layout.ts';
import { lock } from '../../cluster/lock.ts';
import { until } from '../../src/base/until.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { baseImageStorage, baseImages } from '../../tools/base-images.ts';
import { checkout } from '../../tools/target.ts';

/** A Docker engine of its own, which shares nothing with one that this machine may have. Disposing ends it. */
export type DockerEngine = AsyncDisposable & {
  /** Where it keeps everything; deleted with it. */
  readonly folder: string;
  /** The environment in which docker, and programs that run docker, use this engine. */
  readonly environment: NodeJS.ProcessEnv;
  /** Runs a docker command in the checkout, and returns its standard output. */
  readonly docker: (...args: readonly string[]) => Promise<string>;
};

/** The cgroup of its containers, below that of the cluster: `make cluster-down` removes what a killed test leaves. */
const cgroup = { name: 'docker' } as const;

/**
 * Starts a Docker engine without networks: builds need `--network host`. Its processes and mounts are in namespaces that
 * end with its first process, and that ends with this one.
 *
 * @throws Error with the end of its log if it does not start.
 */
export async function startDockerEngine(): Promise<DockerEngine> {
  const scratch = await temporaryFolder('/var/tmp'); // on a disk, because /tmp may be in memory
  const folder = scratch.path;
  const environment = engineEnvironment(folder);
  const docker = async (...args: readonly string[]) => {
    const options = { cwd: checkout, env: environment, maxBuffer: 64 * 1024 * 1024 };
    return (await promisify(execFile)('docker', args, options)).stdout;
  };
  const engine = await spawnEngine(folder);
  const end = async () => {
    engine.kill('SIGKILL');
    if (engine.exitCode === null && engine.signalCode === null) await once(engine, 'exit');
    await endMembers(cgroup);
    await scratch[Symbol.asyncDispose]();
  };
  try {
    await ready(engine, { folder, docker });
  } catch (error) {
    await end();
    throw error;
  }
  return { folder, environment, docker, [Symbol.asyncDispose]: end };
}

/** Gives an engine the base images of the Dockerfile under their names, as this project makes them without a registry. */
export async function loadBaseImages({ folder, docker }: DockerEngine): Promise<void> {
  await using acquired = await lock('podcap-image', 'the test of the image that Docker builds');
  if (acquired === undefined) throw new Error('the image is being built or loaded by another command');
  const storage = await baseImageStorage({ checkout, cache: cacheFolder(process.env), say });
  for (const [name, image] of Object.entries(baseImages)) {
    const archive = join(folder, `${name}.tar`);
    await storage.run(['push', '--quiet', image, `docker-archive:${archive}:${image}`]);
    await docker('load', '--quiet', '--input', archive);
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/**
 * /usr/bin comes first: a docker from elsewhere may need plugins that this machine does not have. Before Docker 23,
 * BuildKit has to be asked for.
 */
function engineEnvironment(folder: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PATH: `/usr/bin:${process.env['PATH']}`,
    DOCKER_HOST: `unix://${folder}/docker.sock`,
    DOCKER_CONFIG: join(folder, 'config'),
    DOCKER_BUILDKIT: '1',
  };
}

async function spawnEngine(folder: string): Promise<ChildProcess> {
  for (const name of ['run-upper', 'run-work']) await mkdir(join(folder, name));
  await writeFile(join(folder, 'daemon.json'), '{}'); // not that of this machine
  await using log = await open(join(folder, 'log'), 'w');
  const inOwnNamespaces = ['--mount', '--pid', '--mount-proc', '--fork', '--kill-child', '--'];
  const command = ['sh', '-ec', startScript, 'sh', folder, `/${cgroupName}/${cgroup.name}`];
  return spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'unshare', ...inOwnNamespaces, ...command], {
    stdio: ['ignore', log.fd, log.fd],
  });
}

/**
 * What dockerd writes to /run and /etc/docker ends with its mount namespace, and it does not find the containerd of this
 * machine. It changes neither the firewall nor the links of this machine.
 */
const startScript = `
  mount -t overlay -o "lowerdir=/run,upperdir=$1/run-upper,workdir=$1/run-work" podcap-docker /run
  mkdir -p /run/containerd
  mount -t tmpfs podcap-docker /run/containerd
  mount -t tmpfs podcap-docker /etc/docker
  exec dockerd --config-file "$1/daemon.json" --host "unix://$1/docker.sock" --pidfile "$1/docker.pid" \
    --data-root "$1/data" --exec-root "$1/run" --storage-driver overlay2 \
    --cgroup-parent "$2" --exec-opt native.cgroupdriver=cgroupfs \
    --bridge=none --iptables=false --ip-forward=false --ip-masq=false
`;

async function ready(
  engine: ChildProcess,
  { folder, docker }: Pick<DockerEngine, 'folder' | 'docker'>,
): Promise<void> {
  const isUp = async () => {
    if (engine.exitCode !== null || engine.signalCode !== null) throw new Error('it ended');
    return await docker('info').then(
      () => true,
      () => false,
    );
  };
  try {
    await until(isUp, { what: 'the engine to answer', deadlineMs: 60_000, everyMs: 100 });
  } catch (error) {
    const log = await readFile(join(folder, 'log'), 'utf8');
    throw new Error(`dockerd did not start\n${log.slice(-4_000)}`, { cause: error });
  }
}
