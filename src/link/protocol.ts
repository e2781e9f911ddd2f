import * as v from 'valibot';
import { capturePhases } from '../api/capture.ts';
import { stringMap } from '../kubernetes/string-map.ts';

/**
 * What agent and hub say to each other. The agent opens a TLS connection (ALPN `podcap-link/1`) and sends one line: its
 * token, in JSON (`LinkHello`). The hub answers with one line (`LinkWelcome`). From then on the connection is HTTP/2 with
 * the roles exchanged: the hub sends requests, the agent answers. Fields and paths may be added; whoever does not know one
 * ignores it, or answers 404.
 *
 * Both sides wait for the callback of their line's write before they hand the socket to HTTP/2: Node 24 aborts the process
 * when HTTP/2 takes over a TLS socket that still writes (`Assertion failed: is_write_in_progress()`).
 */
export const linkProtocol = 'podcap-link/1';

/** Audience of the projected token by which an agent says who it is. */
export const linkAudience = 'podcap-hub';

/** The agent's first line. */
export const linkHelloSchema = v.object({
  token: v.pipe(v.string(), v.maxLength(16_384)),
  /** For the log; as anybody may send it. */
  version: v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,64}$/)),
});
export type LinkHello = v.InferOutput<typeof linkHelloSchema>;

/** The hub's answer. `refused`: the connection ends after it. */
export const linkWelcomeSchema = v.variant('kind', [
  v.object({ kind: v.literal('welcome'), version: v.string() }),
  v.object({ kind: v.literal('refused'), reason: v.string(), message: v.string() }),
]);
export type LinkWelcome = v.InferOutput<typeof linkWelcomeSchema>;

export const longestLinkLineBytes = 32 * 1024;

/** The paths of the hub's requests to an agent. */
export const linkPaths = {
  /** GET: JSON lines (`ReportLine`) without an end: all recordings, `synced`, then each change. */
  reports: '/v1/reports',
  /** GET: JSON lines (`CountersLine`) of all recordings, or with `uid` of one. */
  counters: '/v1/counters',
  /** GET: the bytes of a recording (`log` parameters of the API; `uid` is required). DELETE: deletes an ended one. */
  recording: '/v1/recording',
  /** GET: a live capture of a Pod of this Node (`attach` parameters of the API, with `namespace` and `name`). */
  tap: '/v1/tap',
  /** GET: the agent's token of now, as text. The hub asks before the one that it knows expires, and ends the connection then. */
  token: '/v1/token',
} as const;

/** Header of the hub's requests for bytes: who reads, as an opaque text that is the same for all streams of one user. */
export const linkReaderHeader = 'podcap-reader';

/** The trailer of an answer that was sent to its end. An answer without it was cut, however it seems to have ended. */
export const completeAnswerTrailer = 'podcap-complete';

/** Bounds of what a hub takes from one agent; an agent leaves out what exceeds them, of each namespace the oldest first. */
export const linkBounds = { recordings: 2_000, reportBytes: 2 * 1024 * 1024, lineBytes: 64 * 1024 } as const;

/** Both sides send a PING this often, and end the connection after `deadAfterMs` without an answer. */
export const linkPing = { everyMs: 5_000, deadAfterMs: 15_000 } as const;

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const text = (most: number) => v.pipe(v.string(), v.maxLength(most));
/** A DNS-1123 subdomain, as the name of an object is. People paste it into commands. */
const objectName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const timestamp = v.pipe(v.string(), v.maxLength(40), v.isoTimestamp());

const countersEntries = {
  files: count,
  bytes: count,
  packets: v.exactOptional(count),
  dropped: v.exactOptional(count),
  lostAtStop: v.exactOptional(count),
  missed: v.exactOptional(count),
  unseen: v.exactOptional(count),
  isUnseenPartial: v.exactOptional(v.literal(true)),
  firstPacketTime: v.exactOptional(timestamp),
  lastPacketTime: v.exactOptional(timestamp),
};

const frozenRingSchema = v.object({
  number: count,
  time: timestamp,
  causes: v.pipe(v.array(text(512)), v.maxLength(32)),
  files: count,
  bytes: count,
});

const recordingStatusSchema = v.object({
  phase: v.picklist(capturePhases),
  reason: v.exactOptional(text(128)),
  message: v.exactOptional(text(4_096)),
  phaseSince: timestamp,
  startTime: timestamp,
  podCreationTime: v.exactOptional(timestamp),
  interfaces: v.pipe(v.array(text(64)), v.maxLength(64)),
  requested: v.exactOptional(
    v.object({
      files: count,
      fileMegabytes: count,
      filter: v.exactOptional(text(8_192)),
      snaplen: v.exactOptional(count),
      durationSeconds: v.exactOptional(v.pipe(v.number(), v.finite(), v.minValue(0))),
      freezeOn: v.exactOptional(v.pipe(v.array(text(64)), v.maxLength(16))),
    }),
  ),
  requestedBy: v.variant('kind', [
    v.object({ kind: v.literal('Annotation') }),
    v.object({ kind: v.literal('CapturePolicy'), name: v.pipe(text(253), v.regex(objectName)) }),
  ]),
  frozen: v.exactOptional(v.pipe(v.array(frozenRingSchema), v.maxLength(128))),
  ...countersEntries,
});

function areShortLabels(labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([key, value]) => key.length <= 317 && value.length <= 63);
}

/** One recording, as an agent reports it. */
export const reportedRecordingSchema = v.object({
  namespace: text(63),
  name: text(253),
  uid: text(64),
  /** The Pod's; left out if they are not known. */
  labels: v.exactOptional(v.pipe(stringMap, v.check(areShortLabels, 'must be labels of Kubernetes'))),
  status: recordingStatusSchema,
});
export type ReportedRecording = v.InferOutput<typeof reportedRecordingSchema>;

export const reportLineSchema = v.variant('kind', [
  v.object({ kind: v.literal('recording'), recording: reportedRecordingSchema }),
  /** Nothing is left of it. The agent says so for 10 minutes to each hub that connects. */
  v.object({
    kind: v.literal('deleted'),
    namespace: text(63),
    name: text(253),
    uid: text(64),
    deletedAt: timestamp,
  }),
  /** All recordings have been reported; a recording that this hub knows of this agent and that was not is gone. */
  v.object({ kind: v.literal('synced') }),
  /**
   * This many recordings are left out, because of the bounds. `uid`: one that the hub was told of, and is told of no more;
   * a hub that does not know the field shows it as it was last.
   */
  v.object({ kind: v.literal('leftOut'), recordings: count, uid: v.exactOptional(text(64)) }),
  v.object({ kind: v.literal('heartbeat') }),
]);
export type ReportLine = v.InferOutput<typeof reportLineSchema>;

export const countersLineSchema = v.object({ uid: text(64), counters: v.object(countersEntries) });
export type CountersLine = v.InferOutput<typeof countersLineSchema>;

/** An error that an agent answers with, as JSON beside an HTTP status: the hub makes a Status of it. */
export const linkErrorSchema = v.object({ reason: text(128), message: text(4_096) });
export type LinkError = v.InferOutput<typeof linkErrorSchema>;

/**
 * The reasons of the 404 of an agent that has nothing of what the hub asks for: another agent may have it. Any other 404 is
 * about a part of what it has, and its words are for the client.
 */
export const absentReasons = { recording: 'NotFound', pod: 'PodNotFound', path: 'UnknownPath' } as const;

/**
 * The reasons of an agent that refuses a live capture before it has looked for the Pod. With every other reason but those of
 * an absence, it says that it has the Pod.
 */
export const unlookedReasons = { parameter: 'InvalidParameter', pods: 'PodsNotListed' } as const;
