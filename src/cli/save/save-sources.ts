import type { Capture, CaptureRecording } from '../../api/capture.ts';
import { troubleOf } from '../views/check/capture-findings.ts';
import type { SaveArguments } from './save-arguments.ts';
import { type FrozenLeftOut, frozenLeftOut } from './save-notes.ts';
import type { SaveSource } from './save-recordings.ts';

/** What is wanted of the recordings of one namespace. */
export type WantedRecordings = Pick<SaveArguments, 'since' | 'until' | 'frozen' | 'previous'> & {
  readonly namespace: string;
  /** The Pods that were named; undefined: all captures. */
  readonly names: readonly string[] | undefined;
};

export type FoundRecordings = {
  readonly sources: readonly SaveSource[];
  readonly missing: readonly string[];
  readonly leftOut: readonly FrozenLeftOut[];
};

/** What is to be downloaded, and which Pods have no such recording: pure. */
export function saveSources(
  captures: readonly Capture[],
  { names, ...wanted }: WantedRecordings,
): FoundRecordings {
  const byName = new Map(captures.map((capture) => [capture.metadata.name, capture]));
  const sources: SaveSource[] = [];
  const missing: string[] = [];
  const leftOut: FrozenLeftOut[] = [];
  for (const name of new Set(names ?? [...byName.keys()].toSorted())) {
    const recordings = byName.get(name)?.status.recordings ?? [];
    const recording = recordings[wanted.previous ? 1 : 0];
    if (wanted.previous && !recording) missing.push(noPrevious(name, recordings.length));
    else {
      const frozen = wanted.frozen === undefined && recording ? frozenLeftOut(name, recording) : undefined;
      if (frozen) leftOut.push(frozen);
      const asked = frozen?.isSaved === true ? { ...wanted, frozen: 'all' } : wanted;
      sources.push(sourceOf(name, recording, asked));
    }
  }
  return { sources, missing, leftOut };
}

function noPrevious(name: string, recordings: number): string {
  const found = recordings === 0 ? 'nothing is recorded of it' : 'it has one recording';
  return `${name} has no previous recording: ${found}`;
}

/** Without a recording that is known, the hub finds the newest, or says that there is none. */
function sourceOf(
  name: string,
  recording: CaptureRecording | undefined,
  { namespace, since, until, frozen }: Omit<WantedRecordings, 'names'>,
): SaveSource {
  const trouble = recording && troubleOf(recording);
  return {
    name,
    ...(recording && { node: recording.node }),
    ...(trouble !== undefined && { trouble }),
    request: {
      kind: 'recording',
      namespace,
      pod: name,
      ...(recording && { uid: recording.uid }),
      ...(frozen !== undefined && { frozen }),
      ...(since !== undefined && { since }),
      ...(until !== undefined && { until }),
    },
    expectedBytes: since === undefined && until === undefined ? expectedBytes(recording, frozen) : undefined,
  };
}

/** Of the files that are asked for; a packet takes more in pcapng than in the files of the agent. */
function expectedBytes(
  recording: CaptureRecording | undefined,
  frozen: string | undefined,
): number | undefined {
  if (!recording) return undefined;
  const { bytes, packets = 0 } = recording;
  const asked = askedBytes(recording, frozen);
  return asked === undefined || bytes === 0 ? asked : asked * (1 + (packets * packetOverheadBytes) / bytes);
}

function askedBytes(
  { bytes, frozen: rings = [] }: CaptureRecording,
  frozen: string | undefined,
): number | undefined {
  if (frozen === 'all') return bytes;
  if (frozen !== undefined) return rings.find(({ number }) => `${number}` === frozen)?.bytes;
  return Math.max(0, bytes - rings.reduce((sum, ring) => sum + ring.bytes, 0));
}

/** A block of pcapng has 32 bytes besides its data and padding, a record of pcap 16. */
const packetOverheadBytes = 18;
