import * as v from 'valibot';
import { apiVersion, capturePhases } from '../../api/capture.ts';
import { stringMap } from '../../kubernetes/string-map.ts';

const count = v.pipe(v.number(), v.minValue(0));
const countersSchema = {
  files: count,
  bytes: count,
  packets: v.exactOptional(count),
  dropped: v.exactOptional(count),
  lostAtStop: v.exactOptional(count),
  missed: v.exactOptional(count),
  unseen: v.exactOptional(count),
  isUnseenPartial: v.exactOptional(v.literal(true)),
  firstPacketTime: v.exactOptional(v.string()),
  lastPacketTime: v.exactOptional(v.string()),
};

const requestedSchema = v.object({
  files: count,
  fileMegabytes: count,
  filter: v.exactOptional(v.string()),
  snaplen: v.exactOptional(count),
  durationSeconds: v.exactOptional(count),
  freezeOn: v.exactOptional(v.array(v.string())),
});

const frozenSchema = v.object({
  number: count,
  time: v.string(),
  causes: v.array(v.string()),
  files: count,
  bytes: count,
});

const recordingSchema = v.object({
  uid: v.string(),
  node: v.string(),
  // A newer hub may have more phases.
  phase: v.fallback(v.picklist(capturePhases), 'Unknown'),
  reason: v.exactOptional(v.string()),
  message: v.exactOptional(v.string()),
  phaseSince: v.string(),
  startTime: v.string(),
  podCreationTime: v.exactOptional(v.string()),
  interfaces: v.array(v.string()),
  requested: v.exactOptional(requestedSchema),
  // As may others who ask for captures.
  requestedBy: v.fallback(
    v.variant('kind', [
      v.object({ kind: v.literal('Annotation') }),
      v.object({ kind: v.literal('CapturePolicy'), name: v.string() }),
      v.object({ kind: v.literal('Unknown') }),
    ]),
    { kind: 'Unknown' },
  ),
  frozen: v.exactOptional(v.array(frozenSchema)),
  ...countersSchema,
});

/** A capture as the hub sends it. What a newer hub adds is left out. */
export const captureSchema = v.object({
  apiVersion: v.literal(apiVersion),
  kind: v.literal('Capture'),
  metadata: v.object({
    name: v.string(),
    namespace: v.string(),
    uid: v.string(),
    resourceVersion: v.string(),
    creationTimestamp: v.string(),
    labels: v.exactOptional(stringMap),
  }),
  status: v.object({ recordings: v.array(recordingSchema) }),
});

/** A list of captures. */
export const captureListSchema = v.object({
  items: v.array(
    v.pipe(
      v.looseObject({}),
      // As kube-apiserver does, a list may leave out what is the same for all.
      v.transform((item): unknown => ({ apiVersion, kind: 'Capture', ...item })),
      captureSchema,
    ),
  ),
});
