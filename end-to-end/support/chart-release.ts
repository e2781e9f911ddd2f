import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { nodes } from '../../cluster/layout.ts';
import { built } from '../../tools/go-program.ts';
import { output } from '../../tools/shell.ts';
import { checkout, ours } from '../../tools/target.ts';
import { capturesRoot } from './node-captures.ts';
import type { TestCluster } from './test-cluster.ts';

/** A release of the chart in the namespace of a test. Disposing uninstalls it and deletes its folders on the Nodes. */
export type ChartRelease = AsyncDisposable & {
  readonly name: string;
  readonly install: (...options: readonly string[]) => Promise<void>;
  readonly upgrade: (...options: readonly string[]) => Promise<void>;
  readonly uninstall: (...options: readonly string[]) => Promise<void>;
  /** Its folder of captures on that Node, as seen from this machine. */
  readonly folderOn: (node: string) => string;
};

/**
 * The chart's values for agents next to those of the other tests: no Pod is captured, the folder is another one, and the
 * cluster has the CRD.
 */
const isolation = 'image.repository=podcap,image.tag=latest,extraArgs={--node-name=none},crds.install=false';

/** A release that is not installed yet. Builds helm at its first use, which takes minutes. */
export function chartRelease({ namespace }: TestCluster, name: string): ChartRelease {
  const folder = `podcap-${namespace}`;
  const set = ['--set', `${isolation},hostPaths.captures=/var/lib/${folder}`];
  const folderOn = (node: string) => join(dirname(capturesRoot(node)), folder);
  const helm = async (command: string, ...args: readonly string[]) => {
    const target = ['--kubeconfig', ours.kubeconfig, '--namespace', namespace];
    await output(await built('helm'), [command, name, ...target, ...args]);
  };
  const withChart = [join(checkout, 'deploy/chart'), ...set];
  return {
    name,
    install: (...options) => helm('install', ...withChart, '--wait', '--timeout', '90s', ...options),
    upgrade: (...options) => helm('upgrade', ...withChart, '--wait', ...options),
    uninstall: (...options) => helm('uninstall', ...options),
    folderOn,
    async [Symbol.asyncDispose]() {
      await helm('uninstall', '--ignore-not-found', '--no-hooks');
      await Promise.all(nodes.map(({ name: node }) => rm(folderOn(node), { recursive: true, force: true })));
    },
  };
}
