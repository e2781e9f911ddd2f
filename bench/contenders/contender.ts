import type { TestbedPod } from '../../src/testbed/bridge-testbed.ts';

/** One way to capture Pods. */
export type Contender = AsyncDisposable & {
  readonly variant: ContenderName;
  /** Captures these Pods into rings of ten files of 1 MB, and listens on all of them when it returns. */
  readonly start: (pods: readonly TestbedPod[], wish?: ContenderOptions) => Promise<ContenderCaptures>;
};

/**
 * `host-tcpdump`: tcpdump on all interfaces of the host, one for each Pod, by its address. `tcpdump-ring`: tcpdump in the
 * Pod's network, with its own ring. `dumpcap`: the same with Wireshark's.
 */
export type ContenderName = 'podcap' | 'host-tcpdump' | 'tcpdump-ring' | 'dumpcap';

export type ContenderOptions = {
  /** Bytes of each packet; without it all. */
  readonly snaplen?: number | undefined;
};

export type ContenderCaptures = {
  /** All processes that it takes, by now. */
  readonly processes: () => Promise<readonly number[]>;
  /** Writes out what it holds, ends, and deletes its files. Gives back what it counted, one for each Pod. */
  readonly stop: () => Promise<readonly Count[]>;
};

/** In packets. */
export type Count = {
  readonly captured: number;
  /** What the kernel handed to it or had to drop: a packet that crosses two of its interfaces is there twice. */
  readonly received: number;
};

export const ringFiles = 10;
