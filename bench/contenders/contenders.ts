import { type BridgeLab, bridgeLab, type LabPod } from '../../src/testbed/bridge-testbed.ts';
import type { Variant, Way } from './contender.ts';
import { peers } from './peers.ts';
import { podcap } from './podcap-contender.ts';

/** Pods on a bridge, and the ways to capture them, all ready. */
export type Stage = AsyncDisposable & {
  readonly lab: BridgeLab;
  readonly ways: readonly Way[];
  /** Throws when there are not so many. */
  readonly pod: (index: number) => LabPod;
  /** Throws when it is not among them. */
  readonly way: (variant: Variant) => Way;
};

export async function openStage(pods: number, variants: readonly Variant[]): Promise<Stage> {
  await using opening = new AsyncDisposableStack();
  const lab = opening.use(await bridgeLab(pods));
  const ways = [opening.use(await podcap(lab)), ...peers(lab)].filter(({ variant }) =>
    variants.includes(variant),
  );
  const opened = opening.move();
  return {
    lab,
    ways,
    pod(index) {
      const pod = lab.pods[index];
      if (!pod) throw new Error(`the stage has no Pod ${index}`);
      return pod;
    },
    way(variant) {
      const way = ways.find((each) => each.variant === variant);
      if (!way) throw new Error(`the stage has no ${variant}`);
      return way;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
