import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** The record of which checkout the cluster of this machine belongs to. It is kept outside every checkout. */
export type Owner = {
  readonly checkout: string;
  /** What the cluster was made from (cluster-version.ts). */
  readonly version: string;
  /** ISO 8601. */
  readonly since: string;
  /** Set at the end of `up`. Without it, `up` was cut short or is still running (lock.ts can tell which). */
  readonly complete: boolean;
};

/** Returns undefined if there is no record, or if it is not valid. */
export function readOwner(file: string): Owner | undefined {
  try {
    const record: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isOwner(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Replaces the record as a whole, so that no reader sees half of one. */
export function writeOwner(file: string, owner: Owner): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(owner, undefined, 2)}\n`);
  renameSync(`${file}.new`, file);
}

function isOwner(value: unknown): value is Owner {
  return (
    typeof value === 'object' &&
    value !== null &&
    'checkout' in value &&
    typeof value.checkout === 'string' &&
    'version' in value &&
    typeof value.version === 'string' &&
    'since' in value &&
    typeof value.since === 'string' &&
    'complete' in value &&
    typeof value.complete === 'boolean'
  );
}
