import { type BridgeTestbed, bridgeTestbed, type TestbedPod } from '../../src/testbed/bridge-testbed.ts';
import type { Contender, ContenderName } from './contender.ts';
import { peers } from './peers.ts';
import { podcap } from './podcap-contender.ts';

/** Pods on a bridge, and the contenders that can capture them. */
export type Arena = AsyncDisposable & {
  readonly testbed: BridgeTestbed;
  readonly contenders: readonly Contender[];
  /** Throws when the arena has fewer Pods. */
  readonly pod: (index: number) => TestbedPod;
  /** Throws when the arena was opened without it. */
  readonly contender: (name: ContenderName) => Contender;
};

/** Returns when the Pods are connected and Podcap's agent is ready. */
export async function openArena(pods: number, names: readonly ContenderName[]): Promise<Arena> {
  await using opening = new AsyncDisposableStack();
  const testbed = opening.use(await bridgeTestbed(pods));
  const contenders = [opening.use(await podcap(testbed)), ...peers(testbed)].filter(({ name }) =>
    names.includes(name),
  );
  const opened = opening.move();
  return {
    testbed,
    contenders,
    pod(index) {
      const pod = testbed.pods[index];
      if (!pod) throw new Error(`the arena has no Pod ${index}`);
      return pod;
    },
    contender(name) {
      const found = contenders.find((contender) => contender.name === name);
      if (!found) throw new Error(`the arena has no contender ${name}`);
      return found;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
