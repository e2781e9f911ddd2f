import type { CaptureInterface } from '../../pcap/capture-interface.ts';
import { interfaceKey, type KnownStatistics } from '../../pcap/merge/written-interfaces.ts';
import { interfaceOf } from '../../pcap/pcap-format.ts';
import { addTotals, type CaptureRecord, type Totals } from './capture-records.ts';
import type { GenerationSource } from './snapshot.ts';

/** The interfaces of a recording: those of its generations, which are the same unless the request was changed. */
export type RecordingInterfaces = {
  /** One for each generation, in the order of the sources. */
  readonly interfaces: readonly CaptureInterface[];
  /** What its captures counted. */
  readonly known: (description: CaptureInterface) => KnownStatistics;
  /**
   * How many packets are missing between a generation and the one of the same interface before it; 0 for the first of
   * each interface.
   */
  readonly droppedBefore: (source: number) => number;
};

/** A generation of which packets are read. */
export type DescribedSource = Pick<GenerationSource, 'header' | 'record' | 'interfaceName'>;

/** From the records of the generations. What has no record, or an invalid one, has no name and no counts. */
export function recordingInterfaces(sources: readonly DescribedSource[]): RecordingInterfaces {
  const interfaces = sources.map(({ header, record }) => describe(interfaceOf(header), record));
  const totals = new Map<string, Totals | undefined>();
  for (const [source, { record }] of sources.entries()) {
    const description = interfaces[source];
    if (!description) continue;
    const key = interfaceKey(description);
    const before = totals.get(key);
    const isFirst = !totals.has(key);
    totals.set(key, record && (isFirst ? record.totals : before && addTotals(before, record.totals)));
  }
  return {
    interfaces,
    known: (description) => knownOf(totals.get(interfaceKey(description))),
    droppedBefore(source) {
      const current = sources[source];
      const previous = sources
        .slice(0, source)
        .findLast(({ interfaceName }) => interfaceName === current?.interfaceName);
      if (!previous) return 0;
      return (current?.record?.totals.missed ?? 0) + (previous.record?.totals.lostAtStop ?? 0);
    },
  };
}

function describe(described: CaptureInterface, record: CaptureRecord | undefined): CaptureInterface {
  if (!record) return described;
  const { namespace, pod, uid, node, addresses, filter, snaplen } = record;
  return {
    ...described,
    name: `${namespace}/${pod}/${record.interface}`,
    description: `${node === undefined ? '' : `Node ${node}, `}Pod UID ${uid}`,
    filter,
    comment: snaplen === undefined ? undefined : `only the first ${snaplen} bytes of each packet were kept`,
    ...(addresses && addresses.length > 0 && { addresses }),
  };
}

/** `delivered`: to tcpdump, with what is pruned by now. */
function knownOf(totals: Totals | undefined): KnownStatistics {
  if (!totals) return {};
  const { captured, dropped, lostAtStop, pruned, missed, unseen, isUnseenPartial } = totals;
  const unseenText = unseen === undefined ? 'unknown' : `${unseen}${isUnseenPartial ? ' or more' : ''}`;
  return {
    received: BigInt(captured + dropped + lostAtStop),
    dropped: BigInt(dropped),
    delivered: BigInt(captured),
    comment: `pruned ${pruned}, lost at stop ${lostAtStop}, missed at most ${missed}, unseen ${unseenText}`,
  };
}
