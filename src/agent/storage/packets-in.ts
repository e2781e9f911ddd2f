import { ifExists } from '../../base/fs-errors.ts';
import { countRecords } from '../../pcap/pcap-file.ts';

/** How many packets the file has; 0 if it does not exist or is no capture file. */
export async function packetsIn(path: string): Promise<number> {
  const counted = await ifExists(countRecords(path));
  return counted && 'records' in counted ? counted.records : 0;
}
