import { humanBytes } from '../../base/human-units.ts';
import type { DiscardItem } from './discard-plan.ts';
import { counted, storedText } from './recording-text.ts';

const mostLines = 20;

/** What will go, before it does: a line for each, and the sum of several. `unknown`: why nobody says how much it is. */
export function discardText(
  items: readonly DiscardItem[],
  { namespace, unknown }: { readonly namespace: string; readonly unknown: string | undefined },
): string {
  const lines = items.map((item) => `${item.pod}: ${itemText(item, unknown)}`);
  const more = lines.length - mostLines;
  return [
    `this is deleted for good, in namespace ${namespace}:`,
    ...(more > 1 ? [...lines.slice(0, mostLines), `and ${more} more`] : lines),
    ...(items.length > 1 && unknown === undefined ? [`in all: ${sumText(items)}`] : []),
  ].join('\n');
}

function itemText({ recording, kind }: DiscardItem, unknown: string | undefined): string {
  if (recording && recording.files > 0) {
    const ended = kind === 'recording' ? ', of a Pod that is captured no more' : '';
    return `${goneText(recording)} on ${recording.node}${ended}`;
  }
  return unknown === undefined
    ? 'its request; nothing is recorded'
    : `its request, and what is recorded (${unknown})`;
}

/** What goes with a recording: "7 files, 6.1Mi, with 2 frozen rings". */
export function goneText({ files, bytes, frozen = [] }: NonNullable<DiscardItem['recording']>): string {
  const rings = frozen.length === 0 ? '' : `, with ${counted(frozen.length, 'frozen ring')}`;
  return `${storedText({ files, bytes })}${rings}`;
}

function sumText(items: readonly DiscardItem[]): string {
  const recordings = items.flatMap(({ recording }) => recording ?? []);
  const files = recordings.reduce((sum, each) => sum + each.files, 0);
  const bytes = recordings.reduce((sum, each) => sum + each.bytes, 0);
  return `${counted(files, 'file')}, ${humanBytes(bytes)}`;
}
