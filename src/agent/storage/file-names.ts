/** The names of capture folders and their files. Pure; every name can be parsed again. */

/** The Pod that a folder's name names; `pod` may be cut, the UID identifies it. */
export type PodFolder = { readonly namespace: string; readonly pod: string; readonly uid: string };

/** A capture file: which start of tcpdump wrote it, and its index among the files of that start. */
export type RingFile = { readonly name: string; readonly generation: number; readonly index: number };

/**
 * A Pod's name can have 253 bytes, and a file name has at most 255. The longest name here is the folder's: namespace
 * (63) + pod + UID (36) + two underscores.
 */
const maxPodBytes = 255 - 63 - 36 - 2;

/** `<namespace>_<pod>_<uid>`: none of the three parts can contain an underscore. */
export function folderName({ namespace, pod, uid }: PodFolder): string {
  return `${namespace}_${cut(pod)}_${uid}`;
}

/** What Kubernetes allows at most in these names: none of it can leave a folder, or reach a terminal as a control. */
export const podNamePatterns = {
  namespace: /^[a-z0-9-]{1,63}$/,
  pod: /^[a-z0-9.-]{1,253}$/,
  uid: /^[A-Za-z0-9-]{1,36}$/,
} as const;

/** Undefined for a name that `folderName` does not make. */
export function parseFolderName(name: string): PodFolder | undefined {
  const [namespace = '', pod = '', uid = '', ...more] = name.split('_');
  const isOne =
    podNamePatterns.namespace.test(namespace) &&
    podNamePatterns.pod.test(pod) &&
    podNamePatterns.uid.test(uid);
  return isOne && more.length === 0 ? { namespace, pod, uid } : undefined;
}

/** The file name that tcpdump gets (-w); it appends the index. */
export function ringFileBase(pod: string, generation: number): string {
  return `captres-${cut(pod)}.${generation}.pcap`;
}

/**
 * How many indices there are (tcpdump's -W). tcpdump would take weeks at several gigabits a second to use all of them:
 * far more than a ring has, so that the indices of its files show their order.
 */
export const indexCount = 1_000_000_000;

/** The name of tcpdump's file number `count`, from 0: its index has as many digits as the last one. */
export function ringFileName(base: string, count: number): string {
  return `${base}${String(count % indexCount).padStart(String(indexCount - 1).length, '0')}`;
}

/** Whether that is the index of file number `count`, from 0, or of a later one: no ring has half of all indices. */
export function isFileFrom(count: number, index: number): boolean {
  return (index - (count % indexCount) + indexCount) % indexCount < indexCount / 2;
}

/** Undefined for a name that is not a capture file's. */
export function parseRingFile(name: string): RingFile | undefined {
  const [, generation, index] = /^captres-[a-z0-9.-]+\.([0-9]{1,9})\.pcap([0-9]{1,9})$/.exec(name) ?? [];
  return generation && index ? { name, generation: Number(generation), index: Number(index) } : undefined;
}

/** The name of a generation's record. */
export function recordName(generation: number): string {
  return `capture.${generation}.json`;
}

/** The generation of a record; undefined for a name that is not a record's. */
export function parseRecordName(name: string): number | undefined {
  const digits = /^capture\.([0-9]{1,9})\.json$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The name of the file that says when the Pod ended. */
export const podEndName = 'pod-end.json';

/** The name of the file that says who asked for the captures. */
export const requesterName = 'requested-by.json';

/** The name of the file that says what is known of the recording itself, for hubs. */
export const recordingNoteName = 'recording.json';

/** The name of the file that says what has been frozen so far, and what was not. */
export const freezeLogName = 'freezes.json';

/** The name of the folder, in a Pod's folder, of its frozen ring of that number, from 1 on. */
export function frozenFolderName(number: number): string {
  return `frozen-${number}`;
}

/** Undefined for a name that is not a frozen ring's. */
export function parseFrozenFolderName(name: string): number | undefined {
  const digits = /^frozen-([1-9][0-9]{0,8})$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The name of the record in the folder of a frozen ring. */
export const frozenRecordName = 'frozen.json';

function cut(pod: string): string {
  return pod.slice(0, maxPodBytes);
}
