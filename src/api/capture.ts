/** The resource `captures` of podcap.dev/v1alpha1, as its clients see it. */

export const apiGroup = 'podcap.dev';
export const apiVersion = `${apiGroup}/v1alpha1`;

/** What is recorded of the Pods of one name in one namespace. */
export type Capture = {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'Capture';
  readonly metadata: CaptureMetadata;
  readonly status: {
    /** One for each Pod UID, the newest first: a Pod that is created again under its name has a recording of its own. */
    readonly recordings: readonly CaptureRecording[];
  };
};

export type CaptureMetadata = {
  /** Those of the Pods. */
  readonly name: string;
  readonly namespace: string;
  /** A UUIDv5 of namespace/name. */
  readonly uid: string;
  /** When the replica learned of the newest change, in microseconds of Unix time, and three digits of the replica. */
  readonly resourceVersion: string;
  /** When the oldest of the recordings began; RFC 3339, in whole seconds. */
  readonly creationTimestamp: string;
  /** Those of the Pod of the newest recording. */
  readonly labels?: Readonly<Record<string, string>>;
};

/** `Unknown`: no agent that is connected says anything about it. */
export const capturePhases = [
  'Waiting',
  'Capturing',
  'Paused',
  'Ended',
  'Refused',
  'Failed',
  'Unknown',
] as const;
export type CapturePhase = (typeof capturePhases)[number];

/** The recording of one Pod. Times are RFC 3339. What is not known is left out, never 0. */
export type CaptureRecording = RecordingStatus & {
  /** Of the Pod. */
  readonly uid: string;
  readonly node: string;
};

/** What an agent says of a recording. */
export type RecordingStatus = {
  readonly phase: CapturePhase;
  /** Why, in the word of the Event. */
  readonly reason?: string;
  /** The same in words. */
  readonly message?: string;
  /** Since when it has this phase. */
  readonly phaseSince: string;
  /** When the recording began: when its first capture started, or when it was first refused or waited. */
  readonly startTime: string;
  /** When the Pod was created, by the API server's clock; left out if no agent has seen the Pod. */
  readonly podCreationTime?: string;
  readonly interfaces: readonly string[];
  /** What was last asked for; left out where only files are left. */
  readonly requested?: RequestedCapture;
  /** Who asked for it last. */
  readonly requestedBy:
    | { readonly kind: 'Annotation' }
    | { readonly kind: 'CapturePolicy'; readonly name: string }
    /** What a client makes of a kind that it does not know; a hub never sends it. */
    | { readonly kind: 'Unknown' };
  /** Oldest first. */
  readonly frozen?: readonly CaptureFrozenRing[];
} & RecordingCounters;

/** What changes with each packet. Hubs ask for it; agents do not report each change. */
export type RecordingCounters = {
  /** Capture files, with those of frozen rings. */
  readonly files: number;
  readonly bytes: number;
  /** Packets in those files. */
  readonly packets?: number;
  readonly dropped?: number;
  readonly lostAtStop?: number;
  /** At most this many passed while nothing was listening. */
  readonly missed?: number;
  /** At least this many that the interface counted and tcpdump could not get. */
  readonly unseen?: number;
  /** `unseen` is known only of a part of the captures. */
  readonly isUnseenPartial?: true;
  /** The times of the first and the last packet in the files. */
  readonly firstPacketTime?: string;
  readonly lastPacketTime?: string;
};

export type RequestedCapture = {
  readonly files: number;
  readonly fileMegabytes: number;
  readonly filter?: string;
  readonly snaplen?: number;
  readonly durationSeconds?: number;
  readonly freezeOn?: readonly string[];
};

export type CaptureFrozenRing = {
  readonly number: number;
  /** Of its trigger. */
  readonly time: string;
  /** In words of the Event, for example "container app was OOM-killed". */
  readonly causes: readonly string[];
  readonly files: number;
  readonly bytes: number;
};
