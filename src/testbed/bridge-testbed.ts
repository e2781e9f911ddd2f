import type { InterfaceCounters } from '../base/net-dev.ts';
import {
  countersIn,
  inNamespace,
  makeNamespace,
  namespacePath,
  removeNamespace,
  sweepNamespaces,
  withoutIpv6,
} from './network-namespace.ts';
import { ownedName } from './owned-names.ts';
import { type Argv, run } from './run-program.ts';

/**
 * The network of a Node without a Node: Pods as network namespaces, each with an eth0, on a bridge in another namespace
 * that stands for the host. Only what a test sends passes it: there is no IPv6.
 */
export type BridgeTestbed = AsyncDisposable & {
  readonly pods: readonly TestbedPod[];
  /** The host receives everything sent to this address, and drops it without an answer. */
  readonly sink: string;
  /** Makes a command run in the host's network, and end with this process. */
  readonly inHost: (argv: Argv) => Argv;
};

/** One of the Pods. */
export type TestbedPod = {
  readonly name: string;
  readonly address: string;
  /** The path of its network namespace. */
  readonly netns: string;
  /** Makes a command run in the Pod's network, and end with this process. */
  readonly command: (argv: Argv) => Argv;
  /** The packet counters of its eth0. */
  readonly counters: () => Promise<InterfaceCounters>;
};

/** 198.18.0.0/15 is reserved for benchmarks (RFC 2544). */
const host = '198.18.0.1';
const sink = '198.18.255.254';
const bridgeMac = '02:00:00:00:00:01';

/** Creates a bridge with `count` Pods; needs root. */
export async function bridgeTestbed(count: number): Promise<BridgeTestbed> {
  await sweepNamespaces();
  const owner = ownedName();
  const hostName = `${owner}-host`;
  const names = Array.from({ length: count }, (_, i) => `${owner}-pod-${i}`);
  await Promise.all([hostName, ...names].map(makeNamespace));
  await ip(hostName, bridgeCommands(names));
  await Promise.all(names.map((name, i) => ip(name, podCommands(i))));

  return {
    pods: names.map((name, i) => {
      const command = (argv: Argv) => inNamespace(name, argv);
      return {
        name: `pod-${i}`,
        address: addressOf(i),
        netns: namespacePath(name),
        command,
        counters: () => countersIn(name, 'eth0'),
      };
    }),
    sink,
    inHost: (argv) => inNamespace(hostName, argv),
    async [Symbol.asyncDispose]() {
      await Promise.all([hostName, ...names].map(removeNamespace));
    },
  };
}

function bridgeCommands(names: readonly string[]): string[] {
  return [
    'link set lo up',
    `link add cni0 address ${bridgeMac} type bridge forward_delay 0`,
    `address add ${host}/16 dev cni0`,
    'link set cni0 up',
    `route add blackhole ${sink}/32`,
    ...names.flatMap((name, i) => [
      `link add host${i} type veth peer name eth0 netns ${namespacePath(name)}`,
      `link set host${i} master cni0 up`,
    ]),
  ];
}

function podCommands(index: number): string[] {
  return [
    'link set lo up',
    `address add ${addressOf(index)}/16 dev eth0`,
    'link set eth0 up',
    `neighbour add ${sink} lladdr ${bridgeMac} dev eth0 nud permanent`,
  ];
}

function addressOf(index: number): string {
  return `198.18.${1 + Math.floor(index / 200)}.${1 + (index % 200)}`;
}

/** Runs all commands in one process: a Node has a hundred Pods. */
async function ip(name: string, commands: readonly string[]): Promise<void> {
  const script = `sysctl -qw ${withoutIpv6.join(' ')}; printf '%s\n' "$@" | ip -batch -`;
  await run(inNamespace(name, ['sh', '-ec', script, 'sh', ...commands]));
}
