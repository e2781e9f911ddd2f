import type { CaptureEntry } from './capture-entry.ts';

/** The captures that were deleted within the last minutes, so that a watch that resumes is told. */
export type Tombstones = {
  readonly get: (key: string) => CaptureEntry | undefined;
  readonly add: (entry: CaptureEntry) => void;
  readonly delete: (key: string) => void;
  /** Oldest first. */
  readonly all: () => MapIterator<CaptureEntry>;
  /** Forgets those that were deleted before that version. */
  readonly forgetBefore: (version: number) => void;
};

/** Tombstones; over the bound, the oldest is forgotten. */
export function tombstones(most = 20_000): Tombstones {
  // A Map keeps the order in which keys were added.
  const entries = new Map<string, CaptureEntry>();
  return {
    get: (key) => entries.get(key),
    add(entry) {
      entries.delete(entry.key);
      entries.set(entry.key, entry);
      const [oldest] = entries.keys();
      if (entries.size > most && oldest !== undefined) entries.delete(oldest);
    },
    delete: (key) => void entries.delete(key),
    all: () => entries.values(),
    forgetBefore(version) {
      for (const entry of entries.values()) {
        if (entry.version >= version) return;
        entries.delete(entry.key);
      }
    },
  };
}
