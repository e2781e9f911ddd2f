import type { CaptureFormat } from '../../pcap/write/capture-writer.ts';

/** The longest name of a file, in bytes; while it is written, it is longer by `.part`. */
const longestNameBytes = 255 - '.part'.length;

/** `<Pod>-<time>.pcapng`, of now in UTC: web-20261130T185904Z.pcapng. A Pod's name that is too long is cut. Pure. */
export function savedFileName(pods: string, format: CaptureFormat, nowMs: number): string {
  const time = new Date(nowMs).toISOString().replaceAll(/[-:]/g, '').replace(/\.\d+/, '');
  const end = `-${time}.${format}`;
  return `${pods.slice(0, longestNameBytes - end.length)}${end}`;
}
