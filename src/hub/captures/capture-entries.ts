import { apiVersion, type Capture } from '../../api/capture.ts';
import { objectTime } from '../../kubernetes/object-time.ts';
import { assembleCapture } from './assemble-capture.ts';
import { type CaptureEntry, entryKey, isInScope } from './capture-entry.ts';
import { captureUid } from './capture-uid.ts';
import type { CaptureName, CaptureScope } from './captures.ts';
import type { RecordingClaim } from './recording-claim.ts';
import type { ResourceVersions } from './resource-versions.ts';
import { tombstones } from './tombstones.ts';

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
  /** Tells watches of counters that have changed. */
  readonly flush: (name: CaptureName) => void;
  /** An object that this replica may never have seen was deleted. False if that is known. */
  readonly markDeleted: (name: CaptureName, deletedMs: number) => boolean;
  /** What changed or was deleted after that version; with `state`, not those of which counters alone have changed. */
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
    entry.claims = [];
    entry.isDeleted = true;
    entry.version = versions.next();
    entry.stateVersion = entry.version;
    const { capture } = entry;
    const metadata = { ...capture.metadata, resourceVersion: `${entry.version}` };
    entry.capture = { ...capture, metadata };
    deleted.add(entry);
    notify(entry);
  }

  function add(name: CaptureName, claims: readonly RecordingClaim[]): void {
    const entry = newEntry(name, versions.next(), (of) => assembleCapture(claims, of));
    entry.claims = claims;
    live.set(entry.key, entry);
    deleted.delete(entry.key);
    sorted = undefined;
    notify(entry);
  }

  function change(entry: CaptureEntry, claims: readonly RecordingClaim[]): void {
    entry.claims = claims;
    entry.version = versions.next();
    entry.capture = assembleCapture(claims, { uid: entry.uid, resourceVersion: entry.version });
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
      notify(entry);
    },
    markDeleted(name, deletedMs) {
      const key = entryKey(name);
      if (live.has(key)) return false;
      const known = deleted.get(key);
      // It may have come and gone once more while its agent was not connected.
      if (known && deletedMs * 1_000 <= known.version) return false;
      const entry = newEntry(name, versions.next(), (of) => emptyCapture(name, deletedMs, of));
      entry.isDeleted = true;
      deleted.add(entry);
      notify(entry);
      return true;
    },
    changedSince: (version, kind) => [
      ...deleted.all().filter((entry) => entry.version > version),
      ...live.values().filter((entry) => (kind === 'any' ? entry.version : entry.stateVersion) > version),
    ],
    forgetDeletedBefore: deleted.forgetBefore,
  };
}

type ObjectVersion = { readonly uid: string; readonly resourceVersion: number };

function newEntry(
  { namespace, name }: CaptureName,
  version: number,
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
    capture: capture({ uid, resourceVersion: version }),
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
    metadata: { name, namespace, uid, resourceVersion: `${resourceVersion}`, creationTimestamp },
    status: { recordings: [] },
  };
}
