import type { CaptureInterface } from '../../pcap/capture-interface.ts';
import { plainInterface } from '../../pcap/testing/capture-bytes.ts';
import type { ScannedCapture } from '../merge-inputs.ts';

export type Scanned = {
  readonly name?: string;
  readonly interfaces?: readonly CaptureInterface[];
  /** The own addresses of each interface; undefined for a stream. */
  readonly addresses: readonly (readonly string[])[] | undefined;
  readonly candidates?: readonly string[];
};

/** A capture of which this is known, and that cannot be opened. */
export function scanned({ name = 'a', interfaces, addresses, candidates = [] }: Scanned): ScannedCapture {
  return {
    capture: {
      name,
      fileBytes: addresses && 0,
      open: async () => ({ kind: 'not-capture', message: 'it is only known' }),
    },
    startsAt: addresses && { seconds: 0, nanoseconds: 0 },
    interfaces: interfaces ?? (addresses ?? []).map(() => plainInterface),
    firstInterface: 0,
    own: addresses?.map((own) => ({ addresses: new Set(own), candidates })),
  };
}
