import { apiVersion, type Capture } from '../../api/capture.ts';
import { objectTime } from '../../kubernetes/object-time.ts';
import { assembleCapture } from './assemble-capture.ts';
import { type CaptureEntry, entryKey, isInScope } from './capture-entry.ts';
import { captureUid } from './capture-uid.ts';
import type { CaptureName, CaptureScope } from './captures.ts';
import type { RecordingClaim } from './recording-claim.ts';
import type { ResourceVersions } from './resource-versions.ts';
import { remainsOf, tombstones } from './tombstones.ts';

/** All objects of this replica, with those that were deleted lately. */
export type CaptureEntries = {
  readonly get: (name: CaptureName) => CaptureEntry | undefined;
  /** Sorted by namespace and name. */
  readonly inScope: (scope: CaptureScope) => readonly CaptureEntry[];
  /**
   * Says what agents now claim of an object: none, and it is deleted. A change of counters is told to watches by
   * `flush`, every other at once.
   */
  readonly setClaims: (
    name: CaptureName,
    claims: readonly RecordingClaim[],
    change: 'state' | 'counters',
  ) => void;
  /** Tells watches of counters that have changed: from now on they are a change. */
  readonly flush: (name: CaptureName) => void;
  /** An object that this replica may never have seen was deleted, says that Node. False if that is known. */
  readonly markDeleted: (name: CaptureName, deletedMs: number, node: string) => boolean;
  /**
   * What changed or was deleted after that version, by version; with `state`, not those of which counters alone have
   * changed.
   */
  readonly changedSince: (version: number, change: 'any' | 'state') => readonly CaptureEntry[];
  readonly forgetDeletedBefore: (version: number) => void;
};

/** No objects yet. `notify` is called for each change that watches are told of. */
export function captureEntries(
  versions: ResourceVersions,
  notify: (entry: CaptureEntry) => void,
): CaptureEntries {
  const live = new Map<string, CaptureEntry>();
  const deleted = tombstones();
  /** Undefined after one has been added or deleted. */
  let sorted: readonly CaptureEntry[] | undefined;

  function remove(entry: CaptureEntry): void {
    live.delete(entry.key);
    sorted = undefined;
    const node = entry.claims[0]?.agent.node ?? '';
    entry.claims = [];
    entry.isDeleted = true;
    renew(entry);
    entry.stateVersion = entry.version;
    // Who watches gets the whole of it.
    notify(entry);
    entry.capture = remainsOf(entry.capture);
    deleted.add(entry, node);
  }

  /** The same capture, of another version. */
  function renew(entry: CaptureEntry): void {
    entry.version = versions.next();
    const { capture } = entry;
    const metadata = { ...capture.metadata, resourceVersion: versions.textOf(entry.version) };
    entry.capture = { ...capture, metadata };
  }

  /** An object whose first version is the next one. */
  function create(name: CaptureName, capture: (of: ObjectVersion) => Capture): CaptureEntry {
    const version = versions.next();
    return newEntry(name, { version, resourceVersion: versions.textOf(version) }, capture);
  }

  function add(name: CaptureName, claims: readonly RecordingClaim[]): void {
    const entry = create(name, (of) => assembleCapture(claims, of));
    entry.claims = claims;
    live.set(entry.key, entry);
    deleted.delete(entry.key);
    sorted = undefined;
    notify(entry);
  }

  function change(entry: CaptureEntry, claims: readonly RecordingClaim[]): void {
    entry.claims = claims;
    entry.version = versions.next();
    const resourceVersion = versions.textOf(entry.version);
    entry.capture = assembleCapture(claims, { uid: entry.uid, resourceVersion });
  }

  return {
    get: (name) => live.get(entryKey(name)),
    inScope({ namespace, name }) {
      if (namespace !== undefined && name !== undefined) {
        const entry = live.get(entryKey({ namespace, name }));
        return entry ? [entry] : [];
      }
      sorted ??= [...live.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
      if (namespace === undefined && name === undefined) return sorted;
      return sorted.filter((entry) => isInScope(entry, { namespace, name }));
    },
    setClaims(name, claims, kind) {
      const entry = live.get(entryKey(name));
      if (!entry) {
        if (claims.length > 0) add(name, claims);
        return;
      }
      if (claims.length === 0) return remove(entry);
      change(entry, claims);
      entry.hasNewCounters = kind === 'counters';
      if (kind === 'counters') return;
      entry.stateVersion = entry.version;
      notify(entry);
    },
    flush(name) {
      const entry = live.get(entryKey(name));
      if (!entry?.hasNewCounters) return;
      entry.hasNewCounters = false;
      // Watches have been told of later changes since, and that everything up to these has been sent.
      renew(entry);
      notify(entry);
    },
    markDeleted(name, deletedMs, node) {
      const key = entryKey(name);
      if (live.has(key)) return false;
      const known = deleted.get(key);
      // It may have come and gone once more while its agent was not connected.
      if (known && deletedMs * 1_000 <= known.version) return false;
      const entry = create(name, (of) => emptyCapture(name, deletedMs, of));
      entry.isDeleted = true;
      deleted.add(entry, node);
      notify(entry);
      return true;
    },
    changedSince: (version, kind) =>
      [
        ...deleted.all().filter((entry) => entry.version > version),
        ...live.values().filter((entry) => (kind === 'any' ? entry.version : entry.stateVersion) > version),
      ].toSorted((a, b) => a.version - b.version),
    forgetDeletedBefore: deleted.forgetBefore,
  };
}

type ObjectVersion = { readonly uid: string; readonly resourceVersion: string };

function newEntry(
  { namespace, name }: CaptureName,
  { version, resourceVersion }: { readonly version: number; readonly resourceVersion: string },
  capture: (of: ObjectVersion) => Capture,
): CaptureEntry {
  const uid = captureUid(namespace, name);
  return {
    key: entryKey({ namespace, name }),
    namespace,
    name,
    uid,
    addedVersion: version,
    version,
    stateVersion: version,
    isDeleted: false,
    capture: capture({ uid, resourceVersion }),
    claims: [],
    hasNewCounters: false,
  };
}

/** The object of a deletion that is all that is known of a capture. */
function emptyCapture(
  { namespace, name }: CaptureName,
  createdMs: number,
  { uid, resourceVersion }: ObjectVersion,
): Capture {
  const creationTimestamp = objectTime(createdMs);
  return {
    apiVersion,
    kind: 'Capture',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    status: { recordings: [] },
  };
}
