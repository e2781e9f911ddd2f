import type { Capture } from '../../api/capture.ts';
import { objectTime } from '../../kubernetes/object-time.ts';
import type { CaptureEntry } from './capture-entry.ts';

/** The captures that were deleted within the last minutes, so that a watch that resumes is told. */
export type Tombstones = {
  readonly get: (key: string) => CaptureEntry | undefined;
  /** `node`: whose agent said so. */
  readonly add: (entry: CaptureEntry, node: string) => void;
  readonly delete: (key: string) => void;
  /** Oldest first. */
  readonly all: () => readonly CaptureEntry[];
  /** Forgets those that were deleted before that version. */
  readonly forgetBefore: (version: number) => void;
};

export type TombstoneBounds = { readonly bytes: number; readonly bytesPerNode: number };

/** Of a Node, as many as an agent reports; of all, what a replica has room for. */
const defaultBounds: TombstoneBounds = { bytes: 32 * 1024 * 1024, bytesPerNode: 2 * 1024 * 1024 };

/** Tombstones; over a bound, the oldest of the Node that has most is forgotten: no agent makes a replica forget others'. */
export function tombstones(bounds: TombstoneBounds = defaultBounds): Tombstones {
  // Maps keep the order in which keys were added.
  const all = new Map<string, Tombstone>();
  const nodes = new Map<string, NodeTombstones>();
  let bytes = 0;

  function forget({ entry, node, bytes: freed }: Tombstone): void {
    all.delete(entry.key);
    bytes -= freed;
    const of = nodes.get(node);
    if (!of) return;
    of.oldestFirst.delete(entry.key);
    of.bytes -= freed;
    if (of.oldestFirst.size === 0) nodes.delete(node);
  }

  function forgetKey(key: string): void {
    const tombstone = all.get(key);
    if (tombstone) forget(tombstone);
  }

  function forgetOldestOf(of: NodeTombstones | undefined): void {
    const [oldest] = of?.oldestFirst.values() ?? [];
    if (oldest) forget(oldest);
  }

  return {
    get: (key) => all.get(key)?.entry,
    add(entry, node) {
      forgetKey(entry.key);
      const tombstone = { entry, node, bytes: heapBytes(entry.capture) };
      const of = nodes.get(node) ?? { oldestFirst: new Map(), bytes: 0 };
      nodes.set(node, of);
      all.set(entry.key, tombstone);
      of.oldestFirst.set(entry.key, tombstone);
      of.bytes += tombstone.bytes;
      bytes += tombstone.bytes;
      while (of.bytes > bounds.bytesPerNode) forgetOldestOf(of);
      while (bytes > bounds.bytes) forgetOldestOf(withMost(nodes.values()));
    },
    delete: forgetKey,
    all: () => [...all.values()].map(({ entry }) => entry),
    forgetBefore(version) {
      for (const tombstone of all.values()) {
        if (tombstone.entry.version >= version) return;
        forget(tombstone);
      }
    },
  };
}

type Tombstone = { readonly entry: CaptureEntry; readonly node: string; readonly bytes: number };
type NodeTombstones = { readonly oldestFirst: Map<string, Tombstone>; bytes: number };

function withMost(nodes: Iterable<NodeTombstones>): NodeTombstones | undefined {
  let most: NodeTombstones | undefined;
  for (const of of nodes) if (!most || of.bytes > most.bytes) most = of;
  return most;
}

/**
 * What is kept of a capture that was deleted. Its time is that of its newest recording: if that is younger than the
 * namespace, the capture was served in it, and its labels were. Without labels, they are not known.
 */
export function remainsOf({ apiVersion, kind, metadata, status }: Capture): Capture {
  const { name, namespace, uid, resourceVersion, labels } = metadata;
  const newestMs = Math.max(...status.recordings.map(({ startTime }) => Date.parse(startTime)));
  const creationTimestamp = objectTime(newestMs);
  const isShort = labels && labelBytes(labels) <= mostLabelBytes;
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp, ...(isShort && { labels }) },
    status: { recordings: [] },
  };
}

const mostLabelBytes = 4_096;

/** In memory: a short text takes much more than its characters. */
function labelBytes(labels: Readonly<Record<string, string>>): number {
  return Object.entries(labels).reduce((sum, [key, value]) => sum + key.length + value.length + 64, 0);
}

function heapBytes({ metadata: { labels = {} } }: Capture): number {
  return 1_024 + labelBytes(labels);
}
