import { basename } from 'node:path';
import { captureFolder } from '../end-to-end/support/node-captures.ts';
import { parseFolderName } from '../src/agent/storage/file-names.ts';
import { recordingInterfaces } from '../src/agent/storage/recording-interfaces.ts';
import { allRings, openRecordingSnapshot } from '../src/agent/storage/recording-snapshot.ts';
import { readRecording } from '../src/agent/storage/recordings.ts';
import type { GenerationSource } from '../src/agent/storage/snapshot.ts';
import { joinedPackets } from '../src/pcap/join/join.ts';
import { findOverlap } from '../src/pcap/join/overlap.ts';
import { datagramNumber } from '../src/testbed/datagrams.ts';
import { udpPayload } from '../src/testbed/udp-datagram.ts';
import type { SoakPod } from './observation.ts';

/**
 * The datagrams that `podcap read --frozen all` would write more than once, by interface. Captures overlap, so that the
 * files have some packets twice.
 */
export async function repeatedDatagrams({
  uid,
  node,
}: Pick<SoakPod, 'uid' | 'node'>): Promise<readonly string[]> {
  const path = await captureFolder({ uid, node });
  const named = parseFolderName(basename(path ?? ''));
  const recording = path !== undefined && named && (await readRecording(path, named));
  if (!recording) return [];
  // Hostile files have no record, and to open some would block.
  await using snapshot = await openRecordingSnapshot(recording, (current) =>
    allRings(current).map((ring) => ring.filter(({ record }) => record !== undefined)),
  );
  return await repeatedIn(snapshot.sources);
}

async function repeatedIn(sources: readonly GenerationSource[]): Promise<string[]> {
  const { interfaces } = recordingInterfaces(sources);
  const overlap = await findOverlap(sources);
  await using joined = joinedPackets({ sources, overlap, interfaces });
  const seen = new Set<string>();
  const repeated: string[] = [];
  while (await joined.next()) {
    const { interfaceIndex, buffer, dataAt, capturedBytes } = joined.packet;
    const source = sources[interfaceIndex];
    const data = buffer.subarray(dataAt, dataAt + capturedBytes);
    const payload = source && udpPayload(data, source.header.linkType)?.payload;
    const number = payload && datagramNumber(payload);
    if (number === undefined) continue;
    const datagram = `${number} on ${source?.interfaceName}`;
    if (seen.has(datagram)) repeated.push(datagram);
    seen.add(datagram);
  }
  return repeated;
}
