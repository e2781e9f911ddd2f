import { readdir, stat } from 'node:fs/promises';
import type { InterfaceCounters } from '../base/net-dev.ts';
import { compileTestProgram } from './compile.ts';
import { type DatagramOptions, type Sending, startSender } from './datagrams.ts';
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
import { startWitness, type Witness } from './witness.ts';

/** `pod` is the network namespace that stands for the Pod, `node` the one at the other end that stands for its Node. */
export type LinkEnd = 'pod' | 'node';

/**
 * The network of a Pod without a Pod: two network namespaces and a veth pair between them. Only what a test sends
 * passes it: there is no IPv6 and no ARP, and what is sent to the address `sink` is not answered.
 */
export type VethTestbed = AsyncDisposable & {
  /** The path of the Pod's network namespace. */
  readonly netns: string;
  /** The Pod's interface; its other end is `nodeInterface`. */
  readonly podInterface: string;
  readonly nodeInterface: string;
  readonly addresses: { readonly pod: string; readonly node: string; readonly sink: string };
  /** Makes a command run on that side, and end with this process. */
  readonly command: (side: LinkEnd, argv: Argv) => Argv;
  /** Runs a program on that side to its end and returns its standard output. */
  readonly exec: (side: LinkEnd, argv: Argv) => Promise<string>;
  /** The processes in the Pod's network namespace. */
  readonly processes: () => Promise<number[]>;
  /** The packet counters of the interface on that side. */
  readonly counters: (side: LinkEnd) => Promise<InterfaceCounters>;
  /** Starts to send from the Pod to the sink (or elsewhere), until `count` or until it is stopped. */
  readonly startDatagrams: (datagrams?: DatagramOptions) => Promise<Sending>;
  /** Sends `count` datagrams; returns how many were sent. */
  readonly sendDatagrams: (datagrams: DatagramOptions & { readonly count: number }) => Promise<number>;
  /** Sends from the Pod to the sink what no packet socket sees: past its interface's queue, or through AF_XDP. */
  readonly sendUnseen: (count: number, way?: UnseenWay) => Promise<void>;
  /** Starts to record the datagrams that pass the Pod's interface. */
  readonly watchDatagrams: (port?: number) => Promise<Witness>;
  readonly setInterface: (state: 'up' | 'down') => Promise<void>;
  /** Sets the Pod's interface down and up again. */
  readonly bounceInterface: () => Promise<void>;
  /** Deletes the interface at the Node's end, as the teardown of a Pod does. */
  readonly deleteInterface: () => Promise<void>;
};

export type UnseenWay = 'qdisc' | 'xdp';

const podInterface = 'eth0';
const nodeInterface = 'host0';
/** TEST-NET-1 of RFC 5737. */
const addresses = { pod: '192.0.2.2', node: '192.0.2.1', sink: '192.0.2.9' };

/** Creates the network; needs root. */
export async function vethTestbed(): Promise<VethTestbed> {
  await sweepNamespaces();
  const owner = ownedName();
  const names = { pod: `${owner}-pod`, node: `${owner}-node` };
  await makeNetwork(names);

  const command = (side: LinkEnd, argv: Argv) => inNamespace(names[side], argv);
  const exec = (side: LinkEnd, argv: Argv) => run(command(side, argv));
  const startDatagrams = (datagrams: DatagramOptions = {}) =>
    startSender((argv) => command('pod', argv), { to: addresses.sink, ...datagrams });

  async function setInterface(state: 'up' | 'down'): Promise<void> {
    await ip(names.pod, `link set ${podInterface} ${state}`);
    if (state === 'up') await addPodNeighbours(names.pod);
  }

  return {
    netns: namespacePath(names.pod),
    podInterface,
    nodeInterface,
    addresses,
    command,
    exec,
    processes: () => processesIn(names.pod),
    counters: (side) => countersIn(names[side], side === 'pod' ? podInterface : nodeInterface),
    startDatagrams,
    async sendDatagrams(datagrams) {
      await using sending = await startDatagrams(datagrams);
      return (await sending.ended).sent;
    },
    async sendUnseen(count, way = 'qdisc') {
      const args = [way, podInterface, addresses.pod, addresses.sink, macs.node, String(count)];
      await exec('pod', [await compileTestProgram('bypass'), ...args]);
    },
    watchDatagrams: (port) => startWitness((argv) => command('pod', argv), podInterface, port),
    setInterface,
    async bounceInterface() {
      await setInterface('down');
      await setInterface('up');
    },
    deleteInterface: async () => {
      await ip(names.node, `link del ${nodeInterface}`);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([removeNamespace(names.pod), removeNamespace(names.node)]);
    },
  };
}

async function makeNetwork({ pod, node }: Record<LinkEnd, string>): Promise<void> {
  for (const name of [pod, node]) {
    await makeNamespace(name);
    await run(inNamespace(name, ['sysctl', '-qw', ...withoutIpv6]));
    await ip(name, 'link set lo up');
  }
  await ip(
    node,
    `link add ${nodeInterface} address ${macs.node} type veth peer name ${podInterface} address ${macs.pod} netns ${namespacePath(pod)}`,
  );
  await ip(pod, `address add ${addresses.pod}/24 dev ${podInterface}`);
  await ip(node, `address add ${addresses.node}/24 dev ${nodeInterface}`);
  await ip(pod, `link set ${podInterface} up`);
  await ip(node, `link set ${nodeInterface} up`);
  await addPodNeighbours(pod);
  await ip(node, `neighbour add ${addresses.pod} lladdr ${macs.pod} dev ${nodeInterface} nud permanent`);
  await ip(node, `route add blackhole ${addresses.sink}/32`);
}

/** The processes in a network namespace, found by its inode. */
async function processesIn(name: string): Promise<number[]> {
  const { ino } = await stat(namespacePath(name));
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  const inside = await Promise.all(
    pids.map(async (pid) => (await stat(`/proc/${pid}/ns/net`).catch(() => undefined))?.ino === ino),
  );
  return pids.filter((_pid, index) => inside[index]).map(Number);
}

/** Replaces ARP. The kernel forgets these entries when the interface is set down. */
async function addPodNeighbours(pod: string): Promise<void> {
  for (const address of [addresses.node, addresses.sink])
    await ip(pod, `neighbour add ${address} lladdr ${macs.node} dev ${podInterface} nud permanent`);
}

/** Locally administered MAC addresses. */
const macs = { pod: '02:00:00:00:00:02', node: '02:00:00:00:00:01' };

async function ip(name: string, command: string): Promise<void> {
  await run(inNamespace(name, ['ip', ...command.split(' ')]));
}
