import type { CaptureSpec } from '../planner/annotations.ts';
import { type FreezeCapacity, mayFreeze } from '../planner/freeze-capacity.ts';
import { type FreezeState, ringInFreezing } from '../storage/freezes.ts';
import type { PodRecording } from './pod-recording.ts';

type Sizes = ReturnType<PodRecording['sizes']>;

/** The sizes of a recording, with the frozen rings that may be written before the next plan. */
export function withFreezes(
  { size, formerSizes }: Sizes,
  {
    freezes,
    request,
    freezeCapacity,
  }: {
    readonly freezes: FreezeState | undefined;
    readonly request: CaptureSpec | undefined;
    readonly freezeCapacity: FreezeCapacity | undefined;
  },
): Sizes {
  const isFreezing = freezes !== undefined && ringInFreezing(freezes) !== undefined;
  const mayBegin = freezeCapacity === 'enough' && request !== undefined && mayFreeze(request);
  return {
    size: { ...size, freezes: isFreezing || mayBegin },
    isAdmittedToFreeze: request !== undefined && request.freeze.on.length > 0,
    formerSizes,
  };
}
