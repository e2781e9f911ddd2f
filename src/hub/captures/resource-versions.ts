import { randomInt } from 'node:crypto';

/**
 * Resource versions of one replica: when something arrived, in microseconds of Unix time. Clients get three more digits,
 * by which a replica knows its own: of what another one has sent, it may not know everything.
 */
export type ResourceVersions = {
  /** Higher than every one before. */
  readonly next: () => number;
  /** At least as high as every one before; every later one is higher. */
  readonly current: () => number;
  /** As clients get it. */
  readonly textOf: (version: number) => string;
  readonly parse: (resourceVersion: bigint) => ParsedVersion;
};

export type ParsedVersion = {
  readonly version: number;
  /** Made by this replica, since it has started. */
  readonly isOwn: boolean;
};

const replicas = 1_000;
const replicaDigits = 3;

/**
 * Versions that rise even if the clock is set back. They are safe integers until the year 2255; what clients get fits into
 * 63 bits. `replica`: one of the last replicas has the same in one of 1,000 cases.
 */
export function resourceVersions(
  nowMs: () => number = Date.now,
  replica: number = randomInt(replicas),
): ResourceVersions {
  const suffix = `${replica}`.padStart(replicaDigits, '0');
  const firstVersion = nowMs() * 1_000;
  let last = 0;
  return {
    next() {
      last = Math.max(nowMs() * 1_000, last + 1);
      return last;
    },
    current() {
      last = Math.max(nowMs() * 1_000, last);
      return last;
    },
    textOf: (version) => `${version}${suffix}`,
    parse(resourceVersion) {
      const version = Number(resourceVersion / BigInt(replicas));
      const isOfReplica = resourceVersion % BigInt(replicas) === BigInt(replica);
      return { version, isOwn: isOfReplica && version >= firstVersion };
    },
  };
}
