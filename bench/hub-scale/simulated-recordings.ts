import { createHash } from 'node:crypto';
import type { CapturePhase, RecordingCounters } from '../../src/api/capture.ts';
import type { CountersLine, ReportedRecording } from '../../src/link/protocol.ts';

/** Recordings that only a simulated agent has, as large as those of usual Pods. */
export type SimulatedRecordings = {
  readonly all: () => readonly ReportedRecording[];
  /** Gives one of them another phase, and returns it. */
  readonly change: (index: number, phase: CapturePhase) => ReportedRecording;
  /** Fresh counters of all of them: each has grown since the last call. */
  readonly counters: () => CountersLine[];
};

const namespaces = 20;
const megabyte = 1_000_000;

/** The recordings of one Node: captures of a Deployment's Pods that a policy asks for. */
export function simulatedRecordings(node: number, count: number): SimulatedRecordings {
  const started = new Date().toISOString();
  const recordings = Array.from({ length: count }, (_, index) => recordingOf(node, index, started));
  let asked = 0;
  return {
    all: () => recordings,
    change(index, phase) {
      const before = recordings[index];
      if (!before) throw new Error(`no recording ${index}`);
      const phaseSince = new Date().toISOString();
      const changed = { ...before, status: { ...before.status, phase, phaseSince } };
      recordings[index] = changed;
      return changed;
    },
    counters() {
      asked += 1;
      return recordings.map(({ uid }) => ({ uid, counters: countersAfter(asked) }));
    },
  };
}

function recordingOf(node: number, index: number, started: string): ReportedRecording {
  const name = nameOf(node, index);
  return {
    namespace: namespaceOf(node),
    name,
    uid: uuidOf(name),
    labels: { app: 'web', 'pod-template-hash': '5d4f8c7b9d', tier: 'frontend', team: 'shop' },
    status: {
      phase: 'Capturing',
      phaseSince: started,
      startTime: started,
      podCreationTime: started,
      interfaces: ['eth0'],
      requested: { files: 5, fileMegabytes: 1, filter: 'tcp port 80 or tcp port 443' },
      requestedBy: { kind: 'CapturePolicy', name: 'web' },
      ...countersAfter(0),
    },
  };
}

/** The name of that Pod; both numbers are indexes. */
export const nameOf = (node: number, index: number) => `web-5d4f8c7b9d-${node}-${index}`;

export const namespaceOf = (node: number) => `shop-${node % namespaces}`;

/** The namespaces of all simulated Nodes. */
export const simulatedNamespaces = Array.from({ length: namespaces }, (_, i) => namespaceOf(i));

function countersAfter(rounds: number): RecordingCounters {
  const now = new Date().toISOString();
  return {
    files: 5,
    bytes: 4 * megabyte + rounds,
    packets: 20_000 + rounds,
    dropped: 0,
    lostAtStop: 0,
    missed: 0,
    unseen: 0,
    firstPacketTime: now,
    lastPacketTime: now,
  };
}

function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  );
}
