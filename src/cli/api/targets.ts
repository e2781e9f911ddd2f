/** Which Pods a command is about. */
export type Targets =
  | { readonly kind: 'pods'; readonly names: readonly string[] }
  | { readonly kind: 'workload'; readonly type: WorkloadType; readonly name: string }
  | { readonly kind: 'selector'; readonly selector: string };

export const workloadTypes = ['deployment', 'statefulset', 'daemonset', 'replicaset', 'job'] as const;
export type WorkloadType = (typeof workloadTypes)[number];

/** A Pod of the targets, as far as a command needs it. */
export type TargetPod = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** As it was read. */
  readonly resourceVersion?: string | undefined;
  /** Undefined while it is not scheduled. */
  readonly node: string | undefined;
  readonly phase: string;
  readonly isHostNetwork: boolean;
  readonly isBeingDeleted: boolean;
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
};
