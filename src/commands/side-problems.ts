import type { CaptureInterface } from '../pcap/capture-interface.ts';
import type { ScannedCapture } from './merge-inputs.ts';

/** Why --side can leave out nothing of some captures: both ends of their conversations are kept. A line for each. */
export function sideProblems(captures: readonly ScannedCapture[]): readonly string[] {
  return captures.flatMap(({ capture, own, interfaces }) => {
    const { name } = capture;
    if (!own) return `${name} is a stream, whose addresses are not known before it is merged: ${consequence}`;
    return own.flatMap(({ addresses, candidates }, index) => {
      const which = own.length === 1 ? name : `${name}, interface ${interfaces[index]?.name ?? index},`;
      if (candidates.length > 0)
        return `${which} is of ${candidates.join(' or ')}, which are in nearly every packet: ${consequence}`;
      return addresses.size > 0
        ? []
        : `${which} has no address that is in nearly every packet: ${consequence}`;
    });
  });
}

/** Why --side can leave out nothing of an interface that a capture describes after its start. */
export function lateProblem(captureName: string, { name }: Pick<CaptureInterface, 'name'>): string {
  return `${captureName}, interface ${name ?? 'without a name'}, is described without addresses, and late: ${consequence}`;
}

const consequence = 'both ends of its conversations are kept';
