import { exactDuration } from '../../base/exact-duration.ts';
import type { CaptureSpec } from '../planner/annotations.ts';

/** What of a request says what is captured. */
export type CapturedSpec = Pick<
  CaptureSpec,
  'interfaces' | 'files' | 'fileMegabytes' | 'filter' | 'snaplen' | 'durationMs'
>;

/** What a request asks for, in words: "capturing eth0, keeping the last 5 files of 1 MB". */
export function capturingText({
  interfaces,
  files,
  fileMegabytes,
  filter,
  snaplen,
  durationMs,
}: CapturedSpec): string {
  const details = [
    `keeping the last ${files === 1 ? 'file' : `${files} files`} of ${fileMegabytes} MB${interfaces.length > 1 ? ' of each' : ''}`,
    filter !== undefined && `filter ${JSON.stringify(filter)}`,
    snaplen !== undefined && `${snaplen} bytes of each packet`,
    durationMs !== undefined && `for ${exactDuration(durationMs)}`,
  ];
  return `capturing ${namesOf(interfaces)}, ${details.filter((detail) => detail !== false).join(', ')}`;
}

/** eth0, lo and net1. */
export function namesOf(interfaces: readonly string[]): string {
  const last = interfaces.slice(-1);
  const others = interfaces.slice(0, -1).join(', ');
  return [...(others ? [others] : []), ...last].join(' and ');
}
