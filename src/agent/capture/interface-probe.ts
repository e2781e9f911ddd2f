import type { Spawner } from '../spawner/spawner.ts';

/** What decides whether an interface counts the same packets as a packet socket gets. */
export type InterfaceKind = {
  readonly index: number;
  /** As ethtool names it. */
  readonly driver: string;
  /** Generic receive offload: a socket gets several received packets as one. */
  readonly mergesReceived: boolean;
};

/** The kernel answers under a lock that others may hold. */
const answerWithinMs = 5_000;

/**
 * Asks the kernel about an interface in another network namespace, with podcap-interface-probe
 * (interface-probe/interface-probe.c). Undefined if it cannot tell. Never rejects.
 */
export async function probeInterface(
  spawner: Pick<Spawner, 'start'>,
  netns: string,
  name: string,
): Promise<InterfaceKind | undefined> {
  let kind: InterfaceKind | undefined;
  const program = spawner.start({
    netns,
    argv: ['podcap-interface-probe', name],
    onLine: (line) => (kind ??= parseProbe(line)),
  });
  const timer = setTimeout(() => program.kill('SIGKILL'), answerWithinMs);
  await program.ended;
  clearTimeout(timer);
  return kind;
}

/** One line of the program; undefined for an error. Pure. */
export function parseProbe(line: string): InterfaceKind | undefined {
  const pattern =
    /^interface (?<index>\d+): driver (?<driver>[^ ,]+), generic receive offload (?<merging>on|off)$/;
  const groups = pattern.exec(line)?.groups;
  if (!groups) return undefined;
  const { index, driver = '', merging } = groups;
  return { index: Number(index), driver, mergesReceived: merging === 'on' };
}

/**
 * Whether that interface counts each packet that a socket gets, and no other, as one. Measured for veth; netkit passes
 * packets on in the same way. With receive offload an interface counts several for one. Pure.
 */
export function countsAsSockets({ driver, mergesReceived }: Omit<InterfaceKind, 'index'>): boolean {
  return (driver === 'veth' || driver === 'netkit') && !mergesReceived;
}
