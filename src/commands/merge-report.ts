import type { CaptureReader } from '../pcap/capture-reader.ts';
import type { Gap, InputCounts } from '../pcap/merge/merged-packets.ts';
import type { Damage } from '../pcap/packet-reader.ts';
import type { ScannedCapture } from './merge-inputs.ts';
import { printMessage, type Terminal } from './terminal.ts';

const progressEveryMs = 200;

/** Tells on standard error how far a merge is, what could not be read, and what was merged. */
export class MergeReport {
  readonly #terminal: Terminal;
  readonly #captures: readonly ScannedCapture[];
  readonly #inputBytes: number;
  readonly #startMs = performance.now();
  #shownMs = performance.now();
  #isShown = false;
  /** Whether packets are missing in the output. */
  isIncomplete = false;

  constructor(terminal: Terminal, captures: readonly ScannedCapture[]) {
    this.#terminal = terminal;
    this.#captures = captures;
    this.#inputBytes = captures.reduce((sum, { capture }) => sum + (capture.fileBytes ?? Number.NaN), 0);
  }

  damaged(damage: readonly Damage[]): void {
    for (const { message } of damage) this.#warn(message);
  }

  gap(gap: Gap): void {
    const name = this.#captures[gap.input]?.capture.name ?? '';
    if (gap.kind === 'failed') this.#warn(`${name} cannot be read any more: ${messageOf(gap.error)}`);
    else if (gap.kind === 'slow')
      this.#say(`${name} has sent nothing for a while: the others go on without it`);
    else
      this.#say(`${name} sends again: its packets follow, some of them later than others of the same time`);
  }

  ended(reader: CaptureReader): void {
    this.damaged(reader.damage);
  }

  /** Shows how much is written, on a terminal. */
  progress(writtenBytes: number): void {
    const { stderr } = this.#terminal;
    const nowMs = performance.now();
    if (stderr.isTTY !== true || nowMs - this.#shownMs < progressEveryMs) return;
    this.#shownMs = nowMs;
    this.#isShown = true;
    const of = Number.isNaN(this.#inputBytes) ? '' : ` of about ${megabytes(this.#inputBytes)}`;
    stderr.write(`\r\u001b[Kmerging: ${megabytes(writtenBytes)}${of}`);
  }

  /** `to`: the name of the output file; undefined for standard output, which needs no summary. */
  done(
    counts: readonly InputCounts[],
    written: { readonly packets: number; readonly to: string | undefined },
  ): void {
    for (const [input, { stepsBack }] of counts.entries()) {
      if (stepsBack === 0) continue;
      const name = this.#captures[input]?.capture.name ?? '';
      this.#say(
        `${name}: ${stepsBack} packets are earlier than one before them; they keep their place and their time`,
      );
    }
    const late = counts.reduce((sum, each) => sum + each.late, 0);
    if (late > 0) this.#say(`${late} packets came too late for their place`);
    this.#clear();
    if (written.to === undefined) return;
    const seconds = ((performance.now() - this.#startMs) / 1_000).toFixed(1);
    const captures = counts.length === 1 ? '1 capture' : `${counts.length} captures`;
    this.#say(`wrote ${written.packets} packets of ${captures} to ${written.to} in ${seconds} s`);
  }

  #warn(message: string): void {
    this.isIncomplete = true;
    this.#say(message);
  }

  #say(message: string): void {
    this.#clear();
    printMessage(this.#terminal, message);
  }

  #clear(): void {
    if (this.#isShown) this.#terminal.stderr.write('\r\u001b[K');
    this.#isShown = false;
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
