import type { Capture, CaptureRecording } from '../../../api/capture.ts';
import type { AgentLink } from '../../agents/agent-link.ts';
import type { CaptureChange, CaptureName, CaptureScope, Captures } from '../../captures/captures.ts';

/** Captures that a test puts there, by the contract of captures.ts. */
export type MemoryCaptures = Captures & {
  readonly put: (capture: Capture) => void;
  readonly remove: (name: CaptureName) => void;
  /** Every watch that is open gets one. */
  readonly bookmark: (resourceVersion: string) => void;
  readonly missingNodes: string[];
  readonly agents: AgentLink[];
  /** How many watches are open. */
  readonly watches: () => number;
};

/** The one from which this replica may not know of every deletion. */
export const uncertainVersion = 999n;

/** Holds captures in memory. A watch from a version resends what was changed since then. */
export function memoryCaptures(first: readonly Capture[] = []): MemoryCaptures {
  const captures = new Map(first.map((capture) => [keyOf(capture.metadata), capture]));
  const changes: CaptureChange[] = [];
  const watchers = new Set<(change: CaptureChange) => void>();
  const missingNodes: string[] = [];
  const agents: AgentLink[] = [];
  const newest = () =>
    [...captures.values()].reduce((most, { metadata: { resourceVersion } }) => {
      return BigInt(resourceVersion) > BigInt(most) ? resourceVersion : most;
    }, '1');

  function publish(change: CaptureChange): void {
    changes.push(change);
    for (const watcher of watchers) watcher(change);
  }

  return {
    missingNodes,
    agents,
    watches: () => watchers.size,
    put(capture) {
      const kind = captures.has(keyOf(capture.metadata)) ? 'modified' : 'added';
      captures.set(keyOf(capture.metadata), capture);
      publish({ kind, capture });
    },
    remove(name) {
      const capture = captures.get(keyOf(name));
      if (!capture) throw new Error('no such capture');
      captures.delete(keyOf(name));
      const resourceVersion = String(BigInt(capture.metadata.resourceVersion) + 1n);
      publish({
        kind: 'deleted',
        capture: { ...capture, metadata: { ...capture.metadata, resourceVersion } },
      });
    },
    bookmark: (resourceVersion) => publish({ kind: 'bookmark', resourceVersion, isInitial: false }),
    // Versions of tests begin at 100.
    deletionsSince: (resourceVersion) =>
      resourceVersion < 100n ? 'forgotten' : resourceVersion === uncertainVersion ? 'uncertain' : 'complete',
    timeMsOf: Number,
    agentsOf: () => agents,
    get: async (name) => await Promise.resolve(captures.get(keyOf(name))),
    list: async (scope) =>
      await Promise.resolve({
        items: [...captures.values()].filter((capture) => isIn(scope, capture)),
        resourceVersion: newest(),
        missingNodes,
      }),
    async *watch(scope, since, signal) {
      const queue: CaptureChange[] =
        since.kind === 'now'
          ? [...captures.values()].map((capture) => ({ kind: 'added', capture }))
          : changes.filter((change) => versionOf(change) > (since.resourceVersion ?? BigInt(newest())));
      queue.push({ kind: 'bookmark', resourceVersion: newest(), isInitial: true });
      let wake: (() => void) | undefined;
      const watcher = (change: CaptureChange) => {
        queue.push(change);
        wake?.();
      };
      watchers.add(watcher);
      signal.addEventListener('abort', () => wake?.(), { once: true });
      try {
        while (!signal.aborted) {
          const change = queue.shift();
          if (!change) {
            await new Promise<void>((resolve) => {
              wake = resolve;
              if (signal.aborted || queue.length > 0) resolve();
            });
          } else if (change.kind === 'bookmark' || isIn(scope, change.capture)) yield [change];
        }
      } finally {
        watchers.delete(watcher);
      }
    },
  };
}

/** A capture with one recording; what is not set is plain. */
export function testCapture({
  name = 'web-0',
  namespace = 'shop',
  version = '100',
  labels,
  recordings,
}: {
  readonly name?: string;
  readonly namespace?: string;
  readonly version?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly recordings?: readonly CaptureRecording[];
} = {}): Capture {
  return {
    apiVersion: 'podcap.dev/v1alpha1',
    kind: 'Capture',
    metadata: {
      name,
      namespace,
      uid: `uid-of-${namespace}-${name}`,
      resourceVersion: version,
      creationTimestamp: '2026-11-30T12:00:00Z',
      ...(labels && { labels }),
    },
    status: { recordings: recordings ?? [testRecording()] },
  };
}

/** A recording that captures; `fields` replace what is plain. */
export function testRecording(fields: Partial<CaptureRecording> = {}): CaptureRecording {
  return {
    uid: '0a1b2c3d-0000-4000-8000-000000000001',
    node: 'node-a',
    phase: 'Capturing',
    phaseSince: '2026-11-30T12:00:05Z',
    startTime: '2026-11-30T12:00:00Z',
    interfaces: ['eth0'],
    requested: { files: 3, fileMegabytes: 1, filter: 'tcp port 80' },
    requestedBy: { kind: 'Annotation' },
    files: 3,
    bytes: 2_500_000,
    packets: 1_234,
    dropped: 0,
    ...fields,
  };
}

function keyOf({ namespace, name }: CaptureName): string {
  return `${namespace}/${name}`;
}

function isIn(scope: CaptureScope, { metadata }: Capture): boolean {
  return (
    (scope.namespace ?? metadata.namespace) === metadata.namespace &&
    (scope.name ?? metadata.name) === metadata.name
  );
}

function versionOf(change: CaptureChange): bigint {
  return BigInt(
    change.kind === 'bookmark' ? change.resourceVersion : change.capture.metadata.resourceVersion,
  );
}
