import { megabytes } from '../../commands/progress.ts';

/** How far several downloads are. */
export type DownloadProgress = {
  readonly set: (download: number, bytes: number) => void;
  readonly done: (download: number) => void;
  /** "12 of 20 done: 120 MB of about 200 MB, 95 MB/s, 1 s left". */
  readonly text: (nowMs: number) => string;
};

/** The rate is that of about so long. */
const rateWindowMs = 5_000;
const sampleEveryMs = 250;

type Sample = { readonly ms: number; readonly bytes: number };

/** `expectedBytes`: of each download, as far as it is known. Times are those of performance.now(). */
export function downloadProgress(
  expectedBytes: readonly (number | undefined)[],
  startMs: number,
): DownloadProgress {
  const bytes = expectedBytes.map(() => 0);
  const areDone = expectedBytes.map(() => false);
  let samples: readonly Sample[] = [{ ms: startMs, bytes: 0 }];
  return {
    set(download, received) {
      bytes[download] = received;
    },
    done(download) {
      areDone[download] = true;
    },
    text(nowMs) {
      const received = sum(bytes);
      // What is done is as large as it is. Estimates are too small where a ring has grown since.
      const expected = sum(
        expectedBytes.map((each, at) =>
          areDone[at] ? (bytes[at] ?? 0) : Math.max(each ?? Number.NaN, bytes[at] ?? 0),
        ),
      );
      const last = samples[samples.length - 1]?.ms ?? startMs;
      if (nowMs - last >= sampleEveryMs) {
        samples = [...samples, { ms: nowMs, bytes: received }].filter(({ ms }) => nowMs - ms <= rateWindowMs);
      }
      const rate = bytesPerSecond(samples[0], { ms: nowMs, bytes: received });
      return progressText({
        done: areDone.filter(Boolean).length,
        downloads: areDone.length,
        received,
        expected,
        rate,
      });
    },
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

/** 0 where it is not known: just begun, or started over. */
function bytesPerSecond(from: Sample | undefined, to: Sample): number {
  if (!from || to.ms - from.ms < sampleEveryMs) return 0;
  return Math.max(0, (to.bytes - from.bytes) / ((to.ms - from.ms) / 1_000));
}

type Shown = {
  readonly done: number;
  readonly downloads: number;
  readonly received: number;
  /** NaN: unknown. */
  readonly expected: number;
  readonly rate: number;
};

function progressText({ done, downloads, received, expected, rate }: Shown): string {
  const of = Number.isNaN(expected) ? '' : ` of about ${megabytes(expected)}`;
  const pods = downloads === 1 ? '' : `${done} of ${downloads} done: `;
  const speed = rate > 0 ? `, ${megabytes(rate)}/s` : '';
  const hasEnd = !Number.isNaN(expected) && rate > 0 && expected > received;
  const left = hasEnd ? `, ${timeText((expected - received) / rate)} left` : '';
  return `${pods}${megabytes(received)}${of}${speed}${left}`;
}

/** "9 s", "3 min", "2 h". */
function timeText(seconds: number): string {
  if (seconds < 100) return `${Math.ceil(seconds)} s`;
  return seconds < 6_000 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}
