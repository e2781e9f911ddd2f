import * as v from 'valibot';

/** What Podcap keeps of the status of one container of a Pod. */
export type ContainerStatus = {
  readonly name: string;
  /** A sidecar is an init container that goes on beside the main ones. */
  readonly kind: 'main' | 'init' | 'sidecar';
  /** How many times it was started again. */
  readonly restarts: number;
  readonly isReady: boolean;
  /** Its newest end; undefined if it has not ended, or if the kubelet does not remember that. */
  readonly lastEnd?: ContainerEnd;
  /** It may end with exit code 0: that is no failure, and it is not started again. */
  readonly mayComplete: boolean;
  /** It has. */
  readonly hasCompleted: boolean;
};

export type ContainerEnd = {
  /** Tells this end from others of the container. */
  readonly id: string;
  readonly exitCode: number;
  /** OOMKilled, Error, Completed, or another word of the container runtime. */
  readonly reason: string;
  /** RFC 3339, to the second; undefined if the kubelet does not know. */
  readonly finishedAt?: string;
};

/** More than any Pod has. The status of a Pod is bounded only by the size of the whole object. */
const mostContainers = 100;

const terminatedSchema = v.object({
  exitCode: v.number(),
  reason: v.nullish(v.string()),
  finishedAt: v.nullish(v.string()),
  containerID: v.nullish(v.string()),
});
const stateSchema = v.nullish(v.object({ terminated: v.nullish(terminatedSchema) }));
const statusSchema = v.object({
  name: v.string(),
  restartCount: v.nullish(v.number()),
  ready: v.nullish(v.boolean()),
  state: stateSchema,
  lastState: stateSchema,
});

/** The parts of an object of the API that containersOf reads. */
export const containersSpecSchema = {
  restartPolicy: v.nullish(v.string()),
  initContainers: v.nullish(v.array(v.object({ name: v.string(), restartPolicy: v.nullish(v.string()) }))),
} as const;
export const containersStatusSchema = {
  containerStatuses: v.nullish(v.array(statusSchema)),
  initContainerStatuses: v.nullish(v.array(statusSchema)),
} as const;

type Spec = v.InferOutput<v.ObjectSchema<typeof containersSpecSchema, undefined>>;
type Status = v.InferOutput<v.ObjectSchema<typeof containersStatusSchema, undefined>>;

/** The containers of a Pod, and those of its init containers that have a status. Ephemeral ones do not count. */
export function containersOf(spec: Spec, status: Status): ContainerStatus[] {
  const mayComplete = spec.restartPolicy === 'Never' || spec.restartPolicy === 'OnFailure';
  const sidecars = new Set(
    (spec.initContainers ?? []).flatMap(({ name, restartPolicy }) =>
      restartPolicy === 'Always' ? name : [],
    ),
  );
  return [
    ...(status.containerStatuses ?? []).map((each) => containerOf(each, 'main', mayComplete)),
    ...(status.initContainerStatuses ?? []).map((each) =>
      sidecars.has(each.name) ? containerOf(each, 'sidecar', false) : containerOf(each, 'init', true),
    ),
  ].slice(0, mostContainers);
}

function containerOf(
  { name, restartCount, ready, state, lastState }: v.InferOutput<typeof statusSchema>,
  kind: ContainerStatus['kind'],
  mayComplete: boolean,
): ContainerStatus {
  // Between its end and its next start, it is in both, or only in the latter.
  const end = state?.terminated ?? lastState?.terminated;
  return {
    name,
    kind,
    restarts: restartCount ?? 0,
    isReady: ready ?? false,
    ...(end && { lastEnd: endOf(end) }),
    mayComplete,
    hasCompleted: mayComplete && state?.terminated?.exitCode === 0,
  };
}

function endOf({
  exitCode,
  reason,
  finishedAt,
  containerID,
}: v.InferOutput<typeof terminatedSchema>): ContainerEnd {
  return {
    // The runtime's ID is of this one run; some ends that the kubelet makes up have none.
    id: containerID || `${finishedAt ?? ''} ${exitCode} ${reason ?? ''}`,
    exitCode,
    reason: reason ?? '',
    ...(finishedAt != null && { finishedAt }),
  };
}
