import { basename } from 'node:path';
import type { CaptureInterface } from '../pcap/capture-interface.ts';

/**
 * What the interfaces of each capture are called that have no name of their own: the name of the file, with its folder
 * where two folders have such a file. The files of one ring have the same.
 */
export function inputNames(captureNames: readonly string[]): readonly string[] {
  const bases = captureNames.map(ringBase);
  const byFile = Map.groupBy(new Set(bases), (base) => basename(base));
  return bases.map((base) => {
    const file = basename(base);
    return byFile.get(file)?.length === 1 ? file : base;
  });
}

/** The path without the number that tcpdump puts at the end of the names of a ring's files (-C, -W). */
export function ringBase(path: string): string {
  return path.replace(/(\.pcap)\d+$/, '$1');
}

/** The interface, with this name if it has none of its own. */
export function namedInterface(description: CaptureInterface, name: string): CaptureInterface {
  return hasName(description) ? description : { ...description, name };
}

/** Whether the capture itself names the interface. */
export function hasName({ name }: CaptureInterface): boolean {
  return name !== undefined && name !== '';
}
