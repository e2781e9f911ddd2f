import {
  type Capture,
  type CaptureFrozenRing,
  type CaptureMetadata,
  type CaptureRecording,
  capturePhases,
  type RequestedCapture,
} from '../../api/capture.ts';

/** What a field holds, in words; `kubectl explain` shows them. */
export type CaptureField = {
  readonly description: string;
  readonly schema:
    | { readonly type: 'string'; readonly format?: 'date-time'; readonly enum?: readonly string[] }
    | { readonly type: 'integer'; readonly format: 'int64' }
    | { readonly type: 'number'; readonly format: 'double' }
    | { readonly type: 'boolean' }
    | { readonly type: 'stringArray' | 'stringMap' }
    /** Another object of `captureObjects`. */
    | { readonly type: 'object' | 'objectArray'; readonly object: CaptureObjectName };
  readonly isOptional?: true;
};

export type CaptureObjectName =
  | 'Capture'
  | 'CaptureMetadata'
  | 'CaptureStatus'
  | 'CaptureRecording'
  | 'RequestedCapture'
  | 'CaptureRequester'
  | 'CaptureFrozenRing';

/** Every key of the type, so that a field without a description does not compile. */
type FieldsOf<T> = { readonly [Key in keyof Required<T>]: CaptureField };

type CaptureObject<T> = { readonly description: string; readonly fields: FieldsOf<T> };

const capture: CaptureObject<Capture> = {
  description:
    'Capture is what Podcap has recorded of the Pods of one name in one namespace. It exists while something is recorded; it is requested by an annotation of a Pod or by a CapturePolicy, not created here. Its subresource log has the packets of a recording, and attach captures live.',
  fields: {
    apiVersion: text('Version of this representation of the object.'),
    kind: text('The kind of the object: Capture.'),
    metadata: object('Name, namespace and labels of the Pod.', 'CaptureMetadata'),
    status: object('What has been recorded.', 'CaptureStatus'),
  },
};

const metadata: CaptureObject<CaptureMetadata> = {
  description: 'Metadata of a Capture.',
  fields: {
    name: text('Name of the Pod.'),
    namespace: text('Namespace of the Pod.'),
    uid: text('A UUID made of namespace and name: it is the same for every Pod of this name.'),
    resourceVersion: text('Changes whenever the object does.'),
    creationTimestamp: time('When the oldest of the recordings began.'),
    labels: optional({
      description: 'Labels of the Pod of the newest recording.',
      schema: { type: 'stringMap' },
    }),
  },
};

const status: CaptureObject<Capture['status']> = {
  description: 'What has been recorded.',
  fields: {
    recordings: {
      description:
        'Recordings, the newest first: one for each Pod UID. A Pod that is created again under its name has a recording of its own.',
      schema: { type: 'objectArray', object: 'CaptureRecording' },
    },
  },
};

const recording: CaptureObject<CaptureRecording> = {
  description: 'The recording of one Pod.',
  fields: {
    uid: text('UID of the Pod. The parameter uid of captures/log and of a DELETE names the recording by it.'),
    node: text(
      'Node of the Pod, which has the capture files. The parameter node of captures/log and of a DELETE names the recordings of one Node, where agents of several claim the same.',
    ),
    phase: {
      description:
        'State of the recording. Waiting: it begins when the Pod runs or there is room. Capturing: packets are recorded. Paused: capturing is paused on request, and the files are kept. Ended: it is over, and its files are kept for the retention. Refused: what was asked for is not possible. Failed: capturing does not work and is tried again. Unknown: the agent of the Node is not connected, or agents of several Nodes claim the same uid (reason Conflict).',
      schema: { type: 'string', enum: capturePhases },
    },
    reason: optional(text('Why it is in this state, in one word: that of the Event.')),
    message: optional(text('Why it is in this state, in words.')),
    phaseSince: time('Since when it has been in this state.'),
    startTime: time('When the recording began, or was first refused.'),
    podCreationTime: optional(time('When the Pod was created. Left out if unknown.')),
    interfaces: {
      description: 'Network interfaces of the Pod that are captured.',
      schema: { type: 'stringArray' },
    },
    requested: optional(
      object('What was last asked for. Left out where only files are left.', 'RequestedCapture'),
    ),
    requestedBy: object('Who asked for it last.', 'CaptureRequester'),
    frozen: optional({
      description: 'Frozen rings, the oldest first: packets that are kept because something happened.',
      schema: { type: 'objectArray', object: 'CaptureFrozenRing' },
    }),
    files: integer('Number of capture files, with those of frozen rings.'),
    bytes: integer('Size of these files, in bytes.'),
    packets: optional(integer('Number of packets in these files. Left out if unknown.')),
    dropped: optional(
      integer('Number of packets that the kernel dropped because tcpdump was too slow. Left out if unknown.'),
    ),
    lostAtStop: optional(
      integer('Number of packets that were lost when tcpdump was stopped. Left out if unknown.'),
    ),
    missed: optional(
      integer(
        'At most this number of packets passed while nothing was listening, such as while tcpdump was replaced. Left out if unknown.',
      ),
    ),
    unseen: optional(
      integer(
        'At least this number of packets were counted by the interface and never shown to tcpdump. Left out if unknown.',
      ),
    ),
    isUnseenPartial: optional({
      description: 'True if unseen is known only for a part of the recording.',
      schema: { type: 'boolean' },
    }),
    firstPacketTime: optional(time('Time of the first packet in the files.')),
    lastPacketTime: optional(time('Time of the last packet in the files.')),
  },
};

const requested: CaptureObject<RequestedCapture> = {
  description: 'What was asked for, by annotations or a CapturePolicy.',
  fields: {
    files: integer('Number of capture files of the ring: the oldest is deleted when there are more.'),
    fileMegabytes: integer('Size at which a file is full, in megabytes (1,000,000 bytes).'),
    filter: optional(text('Filter in the syntax of pcap-filter(7): only packets that match are recorded.')),
    snaplen: optional(integer('Number of bytes that are kept of each packet. Left out: the whole packet.')),
    durationSeconds: optional({
      description: 'How long to capture, in seconds. Left out: as long as the Pod runs.',
      schema: { type: 'number', format: 'double' },
    }),
    freezeOn: optional({ description: 'What freezes the ring.', schema: { type: 'stringArray' } }),
  },
};

const requester: CaptureObject<{ readonly kind: string; readonly name?: string }> = {
  description: 'Who asked for a recording.',
  fields: {
    kind: {
      description: 'Annotation: annotations of the Pod. CapturePolicy: a policy of its namespace.',
      schema: { type: 'string', enum: ['Annotation', 'CapturePolicy'] },
    },
    name: optional(text('Name of the CapturePolicy.')),
  },
};

const frozenRing: CaptureObject<CaptureFrozenRing> = {
  description: 'Packets around an event, which are kept while the ring goes on.',
  fields: {
    number: integer('Number of the frozen ring. The parameter frozen of captures/log names it by this.'),
    time: time('When it happened.'),
    causes: {
      description: 'What happened, in words, such as "container app was OOM-killed".',
      schema: { type: 'stringArray' },
    },
    files: integer('Number of capture files.'),
    bytes: integer('Size of these files, in bytes.'),
  },
};

/** The objects that a Capture consists of: the one source of the OpenAPI document. */
export const captureObjects: Readonly<
  Record<
    CaptureObjectName,
    { readonly description: string; readonly fields: Readonly<Record<string, CaptureField>> }
  >
> = {
  Capture: capture,
  CaptureMetadata: metadata,
  CaptureStatus: status,
  CaptureRecording: recording,
  RequestedCapture: requested,
  CaptureRequester: requester,
  CaptureFrozenRing: frozenRing,
};

function text(description: string): CaptureField {
  return { description, schema: { type: 'string' } };
}

function time(description: string): CaptureField {
  return { description: `${description} RFC 3339.`, schema: { type: 'string', format: 'date-time' } };
}

function integer(description: string): CaptureField {
  return { description, schema: { type: 'integer', format: 'int64' } };
}

function object(description: string, name: CaptureObjectName): CaptureField {
  return { description, schema: { type: 'object', object: name } };
}

function optional(field: CaptureField): CaptureField {
  return { ...field, isOptional: true };
}
