import type { Logger } from 'pino';
import type { CaptureStatus, CaptureStatuses } from '../observability/capture-status.ts';
import type { CaptureSpec } from '../planner/annotations.ts';
import type { Decision } from '../planner/decisions.ts';
import type { CaptureFolders, PodName } from '../storage/capture-folders.ts';
import type { CaptureSettings } from './capture.ts';
import type { CheckFilter } from './filter-check.ts';
import type { PodRecording } from './pod-recording.ts';
import type { ObservedCapture, RingSpec } from './pod-state.ts';

/** What the steps of every Pod act on. */
export type StepOptions = {
  readonly folders: CaptureFolders;
  readonly settings: CaptureSettings;
  readonly checkFilter: CheckFilter;
  readonly status: Pick<CaptureStatuses, 'report' | 'started' | 'count' | 'forget'>;
  /** Asks the API server, not a cache, whether the captures of that Pod may be deleted for that reason. */
  readonly mayDelete: (deletion: Pick<Decision & { kind: 'delete' }, 'pod' | 'why'>) => Promise<boolean>;
  /** A folder was made or deleted, or its contents were measured: the plan depends on folders too. */
  readonly onFolders: () => void;
  /** A receive ring is full: the plan may give its capture a larger one. */
  readonly requestPlan: () => void;
  readonly log: Logger;
};

/** What the steps of one Pod act on. */
export type PodContext = {
  readonly pod: PodName;
  /** What is requested at this moment; undefined if nothing is. */
  readonly request: () => CaptureSpec | undefined;
  /** The rings that are requested at this moment; none if nothing is. */
  readonly rings: () => readonly RingSpec[];
  /** Undefined until `open` has opened it. */
  readonly recording: () => PodRecording | undefined;
  readonly opened: (recording: PodRecording) => void;
  readonly closed: () => void;
  readonly report: (status: CaptureStatus) => void;
  /** A capture captures packets. It may be about to end already. */
  readonly listening: (capture: ObservedCapture) => void;
  /** Something that the loop observes has changed. */
  readonly onChange: () => void;
};
