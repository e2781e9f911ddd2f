import type { TestbedPod } from '../../src/testbed/bridge-testbed.ts';

/** One way to capture Pods. */
export type Contender = AsyncDisposable & {
  readonly name: ContenderName;
  /** Captures these Pods into rings of ten files of 1 MB; returns when it listens on all of them. */
  readonly start: (pods: readonly TestbedPod[], options?: ContenderOptions) => Promise<ContenderCaptures>;
};

/**
 * `host-tcpdump`: for each Pod, a tcpdump on all interfaces of the host with a filter for the Pod's address.
 * `tcpdump-ring`: tcpdump with its own ring, in the Pod's network. `dumpcap`: Wireshark's dumpcap with its own ring, in
 * the Pod's network.
 */
export const contenderNames = ['podcap', 'host-tcpdump', 'tcpdump-ring', 'dumpcap'] as const;
export type ContenderName = (typeof contenderNames)[number];

export type ContenderOptions = {
  /** Captured bytes of each packet; whole packets if undefined. */
  readonly snaplen?: number | undefined;
};

export type ContenderCaptures = {
  /** The PIDs of all its processes at this moment. */
  readonly processes: () => Promise<readonly number[]>;
  /** Writes out what is buffered, ends, and deletes its files. Returns what it counted, one element for each Pod. */
  readonly stop: () => Promise<readonly PacketCounts[]>;
};

/** In packets. A packet that crosses two of the contender's interfaces is counted twice. */
export type PacketCounts = {
  readonly captured: number;
  /** What the kernel passed to the contender, and what it had to drop. */
  readonly received: number;
};

/** How many files every contender's ring has. */
export const ringFileCount = 10;
