import { type BridgeTestbed, bridgeTestbed, type TestbedPod } from '../../src/testbed/bridge-testbed.ts';
import type { Contender, ContenderName } from './contender.ts';
import { peers } from './peers.ts';
import { podcap } from './podcap-contender.ts';

/** Pods on a bridge, and the contenders that capture them, all ready. */
export type Arena = AsyncDisposable & {
  readonly testbed: BridgeTestbed;
  readonly contenders: readonly Contender[];
  /** Throws when there are not so many. */
  readonly pod: (index: number) => TestbedPod;
  /** Throws when it is not among them. */
  readonly contender: (variant: ContenderName) => Contender;
};

export async function openArena(pods: number, variants: readonly ContenderName[]): Promise<Arena> {
  await using opening = new AsyncDisposableStack();
  const testbed = opening.use(await bridgeTestbed(pods));
  const contenders = [opening.use(await podcap(testbed)), ...peers(testbed)].filter(({ variant }) =>
    variants.includes(variant),
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
    contender(variant) {
      const found = contenders.find((each) => each.variant === variant);
      if (!found) throw new Error(`the arena has no ${variant}`);
      return found;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
