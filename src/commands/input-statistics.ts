import type { CaptureInterface } from '../pcap/capture-interface.ts';
import { interfaceKey, type KnownStatistics } from '../pcap/merge/written-interfaces.ts';
import type { CaptureReader } from '../pcap/read/capture-reader.ts';

/** What the inputs of a merge say that their interfaces counted, summed up by the interfaces of the output. */
export type InputStatistics = {
  /** Adds what an input that has ended says; `describe` names its interfaces as in the output. */
  readonly add: (
    reader: Pick<CaptureReader, 'interfaces' | 'received'>,
    describe: (description: CaptureInterface) => CaptureInterface,
  ) => void;
  /** Unknown unless each of its inputs says it. */
  readonly known: (description: CaptureInterface) => KnownStatistics;
};

export function inputStatistics(): InputStatistics {
  const sums = new Map<string, Sum>();
  return {
    add({ interfaces, received }, describe) {
      for (const [index, description] of interfaces.entries()) {
        const key = interfaceKey(describe(description));
        const counted = received[index];
        const { received: all, dropped, droppedBySystem, comment } = counted ?? {};
        const comments = comment === undefined ? [] : [comment];
        const sum = { received: all, dropped, droppedBySystem, comments };
        sums.set(key, sumOf(sums.get(key), sum));
      }
    },
    known(description) {
      const { received, dropped, droppedBySystem, comments = [] } = sums.get(interfaceKey(description)) ?? {};
      return {
        received: received === undefined ? undefined : BigInt(received),
        dropped: dropped === undefined ? undefined : BigInt(dropped),
        ...(droppedBySystem !== undefined && { droppedBySystem: BigInt(droppedBySystem) }),
        ...(comments.length > 0 && { comment: comments.join('; ') }),
      };
    },
  };
}

type Sum = {
  readonly received: number | undefined;
  readonly dropped: number | undefined;
  readonly droppedBySystem: number | undefined;
  /** Each once. */
  readonly comments: readonly string[];
};

/** Of the files of a long ring, each can have its own. */
const mostComments = 100;

function sumOf(before: Sum | undefined, counted: Sum): Sum {
  if (!before) return counted;
  return {
    received: add(before.received, counted.received),
    dropped: add(before.dropped, counted.dropped),
    droppedBySystem: add(before.droppedBySystem, counted.droppedBySystem),
    comments: [...new Set([...before.comments, ...counted.comments])].slice(0, mostComments),
  };
}

function add(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}
