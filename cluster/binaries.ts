import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { type CacheEntry, cached, entryFolder } from './build-cache.ts';
import { runCommand } from './run-command.ts';

/** A Go module whose programs are built, most of them of an upstream project. Versions and programs: modules/<name>/go.mod. */
export type GoModule = {
  readonly name: string;
  readonly binaries: readonly string[];
  /** How long a build without any cache took on 2 cores, for the estimate. */
  readonly seconds: number;
  readonly tags?: string;
  readonly cgo?: true;
  /** The module whose version is linked in. Without it, Kubernetes' components are v0.0.0 and refuse each other. */
  readonly versionOf?: string;
  /** Files of the program itself, where its source is in the module's folder. */
  readonly sources?: readonly string[];
};

const kubernetes: GoModule = {
  name: 'kubernetes',
  binaries: [
    'kube-apiserver',
    'kube-controller-manager',
    'kube-scheduler',
    'kube-proxy',
    'kubelet',
    'kubectl',
    'kubeadm',
  ],
  seconds: 290,
  versionOf: 'k8s.io/kubernetes',
};
const etcd: GoModule = { name: 'etcd', binaries: ['etcd'], seconds: 60 };
const containerd: GoModule = {
  name: 'containerd',
  binaries: ['containerd', 'containerd-shim-runc-v2', 'ctr'],
  seconds: 70,
  tags: 'no_btrfs',
};
const runc: GoModule = { name: 'runc', binaries: ['runc'], seconds: 25, tags: 'seccomp', cgo: true };
const helm: GoModule = { name: 'helm', binaries: ['helm'], seconds: 145 };
// Without service discovery other than that of Kubernetes, which would need a hundred more modules.
const prometheus: GoModule = {
  name: 'prometheus',
  binaries: ['prometheus', 'promtool'],
  seconds: 150,
  tags: 'remove_all_sd,enable_kubernetes_sd',
};
const coredns: GoModule = { name: 'coredns', binaries: ['coredns'], seconds: 140 };
const kind: GoModule = { name: 'kind', binaries: ['kind'], seconds: 15 };
const actionlint: GoModule = { name: 'actionlint', binaries: ['actionlint'], seconds: 15 };
// krew, and how its index checks a manifest.
const krew: GoModule = { name: 'krew', binaries: ['krew', 'validate-krew-manifest'], seconds: 30 };
// Podcap's own, for its tests: a cache of captures, kept by client-go's informer.
const informer: GoModule = { name: 'informer', binaries: ['informer'], seconds: 60, sources: ['main.go'] };

/** What a running cluster needs. The others, such as helm and promtool, are built when they are first used. */
export const clusterModules: readonly GoModule[] = [runc, etcd, containerd, kubernetes];
const allModules: readonly GoModule[] = [
  ...clusterModules,
  helm,
  coredns,
  prometheus,
  kind,
  actionlint,
  krew,
  informer,
];

/** Maps the name of a binary to its path in the cache. */
export type Binaries = ReadonlyMap<string, string>;

/** Where to build from and to, and where to report progress. */
export type BuildOptions = {
  readonly checkout: string;
  readonly cache: string;
  readonly say: (line: string) => void;
};

/** Returns the programs of these modules, and builds those that the cache does not have. */
export async function buildBinaries(modules: readonly GoModule[], options: BuildOptions): Promise<Binaries> {
  const toolchain = (await runCommand('go', ['env', 'GOVERSION', 'GOOS', 'GOARCH'])).split('\n').join(' ');
  const planned = modules.map((module) => ({
    module,
    entry: cacheEntry(module, options.checkout, toolchain),
  }));
  const missing = planned.filter(({ entry }) => !existsSync(entryFolder(options.cache, entry)));
  if (missing.length > 0) {
    const minutes = Math.ceil(
      estimatedSeconds(
        missing.map(({ module }) => module),
        cpus().length,
      ) / 60,
    );
    const names = missing.map(({ module }) => module.name).join(', ');
    options.say(`building ${names} from source: this happens only once and takes about ${minutes} min`);
  }
  const paths = new Map<string, string>();
  for (const { module, entry } of planned) {
    const position = `${missing.findIndex((other) => other.module === module) + 1} of ${missing.length}`;
    const folder = await cached(options.cache, entry, async (target) => {
      await build(module, target, `${module.name} (${position})`, options);
    });
    for (const binary of module.binaries) paths.set(binary, join(folder, binary));
  }
  return paths;
}

/** Returns the module that builds a binary; undefined if there is none. */
export function moduleOf(binary: string): GoModule | undefined {
  return allModules.find(({ binaries }) => binaries.includes(binary));
}

/** Go compiles on every core but links on only some: many cores save three quarters of the time on 2, not more. */
export function estimatedSeconds(modules: readonly GoModule[], cores: number): number {
  const onTwoCores = modules.reduce((sum, { seconds }) => sum + seconds, 0);
  return Math.round(onTwoCores * Math.max(0.25, 2 / cores));
}

function cacheEntry(module: GoModule, checkout: string, toolchain: string): CacheEntry {
  const { folder, goMod, goSum } = moduleFiles(module, checkout);
  const sources = (module.sources ?? []).map((name) => readFileSync(join(folder, name), 'utf8'));
  const madeFrom = [
    toolchain,
    goMod,
    goSum,
    ...sources,
    ...installArguments(module, goMod),
    String(module.cgo),
  ];
  return { kind: 'bin', name: module.name, madeFrom };
}

function moduleFiles(module: GoModule, checkout: string): { folder: string; goMod: string; goSum: string } {
  const folder = join(checkout, 'cluster/modules', module.name);
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  return { folder, goMod: read('go.mod'), goSum: read('go.sum') };
}

/** The arguments of `go` that build and install every program of the module. */
export function installArguments(module: GoModule, goMod: string): string[] {
  const tags = module.tags === undefined ? [] : ['-tags', module.tags];
  const version =
    module.versionOf === undefined
      ? ''
      : ` -X k8s.io/component-base/version.gitVersion=${requiredVersion(goMod, module.versionOf)}`;
  return ['install', '-v', '-trimpath', ...tags, '-ldflags', `-s -w${version}`, 'tool'];
}

/**
 * Returns the version that a go.mod requires of a module.
 *
 * @throws Error if it does not require the module.
 */
export function requiredVersion(goMod: string, path: string): string {
  for (const line of goMod.split('\n')) {
    const [first, version] = line
      .trim()
      .replace(/^require /, '')
      .split(' ');
    if (first === path && version !== undefined) return version;
  }
  throw new Error(`go.mod does not require ${path}`);
}

/** The version of Kubernetes that this checkout builds. */
export function kubernetesVersion(checkout: string): string {
  return requiredVersion(moduleFiles(kubernetes, checkout).goMod, 'k8s.io/kubernetes');
}

async function build(
  module: GoModule,
  target: string,
  title: string,
  { checkout, say }: BuildOptions,
): Promise<void> {
  const { folder, goMod } = moduleFiles(module, checkout);
  const started = performance.now();
  const elapsed = () => Math.round((performance.now() - started) / 1000);
  const expected = estimatedSeconds([module], cpus().length);
  const temporary = join(target, 'tmp');
  mkdirSync(temporary);
  let compiled = 0;
  const progress = setInterval(() => {
    say(`  ${title}: ${elapsed()} s of about ${expected}, ${compiled} packages compiled`);
  }, 15_000);
  try {
    // In a pid namespace: when this process is killed, the compilers end together with go, not some time later.
    await runCommand(
      'unshare',
      ['--pid', '--fork', '--kill-child', '--', 'go', ...installArguments(module, goMod)],
      {
        cwd: folder,
        environment: {
          ...process.env,
          GOBIN: target,
          GOTMPDIR: temporary,
          CGO_ENABLED: module.cgo ? '1' : '0',
        },
        onOutput: (chunk) => {
          compiled += chunk.split('\n').length - 1;
        },
      },
    );
  } finally {
    clearInterval(progress);
  }
  rmSync(temporary, { recursive: true });
  if (module === etcd) renameSync(join(target, 'server'), join(target, 'etcd')); // go names it after its folder
  for (const binary of module.binaries) {
    if (!existsSync(join(target, binary))) throw new Error(`${module.name} built without ${binary}`);
  }
  say(`  ${title}: built in ${elapsed()} s`);
}
