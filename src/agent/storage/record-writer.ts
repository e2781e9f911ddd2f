import { serialQueue } from '../../base/serial-queue.ts';
import { type CaptureRecord, replaceRecord } from './capture-records.ts';

/** Writes the records of one folder, one after the other. */
export type RecordWriter = {
  readonly write: (record: CaptureRecord) => Promise<void>;
  /** Whether the newest record of that generation is not written yet. */
  readonly isUnwritten: (generation: number) => boolean;
  /** Writes what could not be written, on a full disk for example: nothing must be counted from an old record. */
  readonly retry: () => Promise<void>;
  /** The records of the folder, oldest first, with those in memory that could not be written. */
  readonly withUnwritten: (written: readonly CaptureRecord[]) => CaptureRecord[];
};

/** Nothing is unwritten yet. `path`: of the folder. */
export function recordWriter(path: string): RecordWriter {
  const unwritten = new Map<number, CaptureRecord>();
  const writeQueue = serialQueue();

  async function write(record: CaptureRecord): Promise<void> {
    unwritten.set(record.generation, record);
    await writeQueue(async () => {
      // A newer one has everything of it.
      if (unwritten.get(record.generation) !== record) return;
      await replaceRecord(path, record);
      unwritten.delete(record.generation);
    });
  }

  return {
    write,
    isUnwritten: (generation) => unwritten.has(generation),
    async retry() {
      for (const record of unwritten.values()) await write(record);
    },
    withUnwritten: (written) =>
      [...written.filter(({ generation }) => !unwritten.has(generation)), ...unwritten.values()].toSorted(
        (a, b) => a.generation - b.generation,
      ),
  };
}
