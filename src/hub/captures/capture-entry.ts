import type { Capture } from '../../api/capture.ts';
import type { CaptureName, CaptureScope } from './captures.ts';
import type { RecordingClaim } from './recording-claim.ts';

/** An object, or what is left of one that was deleted. */
export type CaptureEntry = {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Since when this replica has it. */
  readonly addedVersion: number;
  /** When it changed last, or was deleted. */
  version: number;
  /** The same, but for changes of counters alone. */
  stateVersion: number;
  isDeleted: boolean;
  /** What is left of the last there was, if it is deleted, with the resource version of its deletion. */
  capture: Capture;
  claims: readonly RecordingClaim[];
  /** Counters have changed, and watches have not been told. */
  hasNewCounters: boolean;
};

/** Sorts by namespace, then by name: a space comes before every character of a name. */
export function entryKey({ namespace, name }: CaptureName): string {
  return `${namespace} ${name}`;
}

/** Whether it is one of those that a list or a watch is about. */
export function isInScope({ namespace, name }: CaptureName, scope: CaptureScope): boolean {
  return (
    (scope.namespace === undefined || scope.namespace === namespace) &&
    (scope.name === undefined || scope.name === name)
  );
}
