import type { CaptureInterface } from '../pcap/capture-interface.ts';
import { addressBytes } from '../pcap/interface-addresses.ts';
import type { AddressName } from '../pcap/write/packet-writer.ts';
import { hasName } from './input-names.ts';
import type { ScannedCapture } from './merge-inputs.ts';

/** The addresses of the Pods, each with `namespace/pod`. An address that two Pods have had has no name. */
export function addressNames(
  captures: readonly ScannedCapture[],
  describe: (input: number, description: CaptureInterface) => CaptureInterface,
): readonly AddressName[] {
  const names = new Map<string, Set<string>>();
  for (const [input, { interfaces, own = [] }] of captures.entries())
    for (const [index, description] of interfaces.entries()) {
      const { name = '' } = describe(input, description);
      const pod = hasName(description) ? withoutInterface(name) : name;
      for (const address of own[index]?.addresses ?? [])
        names.set(address, (names.get(address) ?? new Set()).add(pod));
    }
  return [...names].flatMap(([text, [name, ...others]]) => {
    const address = addressBytes(text);
    return address && name !== undefined && others.length === 0 ? [{ address, name }] : [];
  });
}

/** Of `namespace/pod/interface`, the Pod. */
function withoutInterface(name: string): string {
  return name.split('/').length === 3 ? name.slice(0, name.lastIndexOf('/')) : name;
}

/** Why --names gives no name to the addresses of some captures. A line for each. */
export function nameProblems(captures: readonly ScannedCapture[]): readonly string[] {
  return captures
    .filter(({ own }) => own === undefined)
    .map(
      ({ capture: { name } }) =>
        `${name} is a stream, whose addresses are not known before it is merged: they get no name`,
    );
}
