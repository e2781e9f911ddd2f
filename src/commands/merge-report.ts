import type { InputCounts } from '../pcap/merge/input-counts.ts';
import type { Gap } from '../pcap/merge/merge-input.ts';
import { type Damage, isLoss } from '../pcap/packet-reader.ts';
import type { ScannedCapture } from './merge-inputs.ts';
import { megabytes, type Progress, progressOn } from './progress.ts';
import { exitCodes, printMessage, type Terminal } from './terminal.ts';

/** About as many captures as fit on a screen. */
const mostLines = 10;

export type MergeSummary = {
  readonly packets: number;
  /** With those that have no packets. */
  readonly captures: number;
  /** The name of the output file; undefined for standard output, which needs no summary. */
  readonly to: string | undefined;
};

/** Tells on standard error how far a merge is, what could not be read, and what was merged. */
export class MergeReport {
  readonly #terminal: Terminal;
  readonly #captures: readonly ScannedCapture[];
  readonly #inputBytes: number;
  readonly #startMs = performance.now();
  readonly #progress: Progress;
  readonly #reportedSlow = new Set<number>();
  readonly #reportedResumed = new Set<number>();
  /** Whether packets are missing in the output. */
  isIncomplete = false;

  constructor(terminal: Terminal, captures: readonly ScannedCapture[], dataTo: 'stdout' | 'file') {
    this.#terminal = terminal;
    this.#progress = progressOn(terminal, { dataTo });
    this.#captures = captures;
    this.#inputBytes = captures.reduce((sum, { capture }) => sum + (capture.fileBytes ?? Number.NaN), 0);
  }

  damaged(damage: readonly Damage[]): void {
    for (const each of damage) {
      if (isLoss(each)) this.#warn(each.message);
      else this.#say(each.message);
    }
  }

  gap(gap: Gap): void {
    const name = this.#captures[gap.input]?.capture.name ?? '';
    if (gap.kind === 'failed') this.#warn(`${name} cannot be read any more: ${messageOf(gap.error)}`);
    else if (gap.kind === 'silent')
      this.#warn(
        `${name} has sent nothing for too long, and is given up: what it would still send is missing`,
      );
    else if (gap.kind === 'slow')
      this.#once(
        this.#reportedSlow,
        gap,
        `${name} has sent nothing for a while: the others go on without it`,
      );
    else {
      const message = `${name} sends again: its packets follow, some of them later than others of the same time`;
      this.#once(this.#reportedResumed, gap, message);
    }
  }

  /** What an option cannot do, or what is odd about an input. No packets are missing because of it. */
  problems(problems: readonly string[]): void {
    for (const problem of problems.slice(0, mostLines)) this.#say(problem);
    const more = problems.length - mostLines;
    if (more > 0) this.#say(`${more} more like these`);
  }

  /** Why the merge fails. Returns the exit code. */
  failed(message: string): number {
    this.#say(message);
    return exitCodes.failed;
  }

  /** Shows how much is written, on a terminal. */
  progress(writtenBytes: number): void {
    const of = Number.isNaN(this.#inputBytes) ? '' : ` of about ${megabytes(this.#inputBytes)}`;
    this.#progress.show(() => `merging: ${megabytes(writtenBytes)}${of}`);
  }

  done(counts: readonly InputCounts[], written: MergeSummary): void {
    this.#stepsBack(counts);
    const late = counts.reduce((sum, each) => sum + each.late, 0);
    if (late > 0) this.#say(`${packetCount(late)} came too late for ${late === 1 ? 'its' : 'their'} place`);
    this.end();
    if (written.to === undefined) return;
    const seconds = ((performance.now() - this.#startMs) / 1_000).toFixed(1);
    const captures = written.captures === 1 ? '1 capture' : `${written.captures} captures`;
    this.#say(`wrote ${packetCount(written.packets)} of ${captures} to ${written.to} in ${seconds} s`);
  }

  /** Leaves no progress on the terminal. */
  end(): void {
    this.#progress.clear();
  }

  #stepsBack(counts: readonly InputCounts[]): void {
    const stepping = counts.flatMap((count, input) => (count.stepsBack > 0 ? [{ count, input }] : []));
    for (const { count, input } of stepping.slice(0, mostLines)) {
      const name = this.#captures[input]?.capture.name ?? '';
      this.#say(`${name}: ${stepsText(count)}; the order of the file stays`);
    }
    const more = stepping.length - mostLines;
    if (more > 0) this.#say(`${more} more captures whose time steps back`);
  }

  /** A pipe can pause again and again. */
  #once(reported: Set<number>, { input }: Gap, message: string): void {
    if (reported.has(input)) return;
    reported.add(input);
    this.#say(message);
  }

  #warn(message: string): void {
    this.isIncomplete = true;
    this.#say(message);
  }

  #say(message: string): void {
    this.end();
    printMessage(this.#terminal, message);
  }
}

function stepsText({ stepsBack, earlier, furthestBackSeconds }: InputCounts): string {
  const steps = stepsBack === 1 ? 'once' : `${stepsBack} times`;
  const packets = `${packetCount(earlier)} with an earlier time than one before`;
  return `the time steps back ${steps}: ${packets}, by at most ${Number(furthestBackSeconds.toPrecision(3))} s`;
}

function packetCount(packets: number): string {
  return packets === 1 ? '1 packet' : `${packets} packets`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
