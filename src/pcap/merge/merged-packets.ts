import type { PacketReader } from '../packet-reader.ts';
import { InputCounter, type InputCounts, Latest } from './input-counts.ts';
import type { MergeInput, MergeOptions } from './merge-input.ts';
import { PacketHeap } from './packet-heap.ts';

/**
 * The packets of several inputs in the order of their times. Within an input, the order stays as it is. Allocates nothing
 * per packet, and waits for an input only if its next packet is not in memory.
 */
export class MergedPackets implements AsyncDisposable {
  readonly #inputs: readonly MergeInput[];
  readonly #options: MergeOptions;
  readonly #heap: PacketHeap;
  readonly #readers: (PacketReader | undefined)[];
  readonly #counts: readonly InputCounter[];
  /** Inputs whose next packet is being read, and for which the others wait. */
  readonly #awaited = new Set<number>();
  readonly #slow = new Set<number>();
  /** Given up: what still comes of them is not looked at. */
  readonly #silent = new Set<number>();
  /** Inputs that have a packet again, and are not in the heap yet: it must not change while its top is the current one. */
  readonly #arrived: number[] = [];
  #changed: (() => void) | undefined;
  #isStarted = false;
  readonly #latest = new Latest();
  /** The index of the input that the current packet is from. */
  input = -1;

  constructor(inputs: readonly MergeInput[], options: MergeOptions) {
    this.#inputs = inputs;
    this.#options = options;
    this.#heap = new PacketHeap(inputs.length);
    this.#readers = inputs.map(() => undefined);
    this.#counts = inputs.map(() => new InputCounter());
  }

  get counts(): readonly InputCounts[] {
    return this.#counts;
  }

  /** The reader of the current packet. It is closed when its input has ended. */
  get reader(): PacketReader {
    const reader = this.#readers[this.input];
    if (!reader) throw new Error('there is no current packet: call next() first');
    return reader;
  }

  /** Moves to the next packet; false at the end. A promise only if an input must be read first. */
  next(): boolean | Promise<boolean> {
    if (!this.#isStarted) return this.#start();
    if (this.input >= 0) this.#advance(this.input);
    if (this.#arrived.length > 0) this.#pushArrived();
    return this.#awaited.size === 0 ? this.#select() : this.#settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#readers.map(async (reader) => await reader?.[Symbol.asyncDispose]()));
  }

  #start(): Promise<boolean> {
    this.#isStarted = true;
    for (const [input, { startsAt }] of this.#inputs.entries()) {
      if (startsAt) this.#heap.push(input, startsAt.seconds, startsAt.nanoseconds);
      else this.#await(input, this.#open(input));
    }
    return this.#settle();
  }

  async #open(input: number): Promise<boolean> {
    const reader = await this.#inputs[input]?.open();
    if (this.#silent.has(input)) {
      await reader?.[Symbol.asyncDispose]();
      return false;
    }
    this.#readers[input] = reader;
    return (await reader?.next()) ?? false;
  }

  /** Passes the current packet, which is from the input at the top. */
  #advance(input: number): void {
    const reader = this.#readers[input];
    const more = reader?.next() ?? false;
    if (more === true && reader) {
      const { seconds, nanoseconds } = reader.packet;
      this.#count(input, seconds, nanoseconds);
      this.#heap.replaceTop(seconds, nanoseconds);
      return;
    }
    this.#heap.pop();
    if (more === false) this.#await(input, Promise.resolve(false));
    else if (more !== true) this.#await(input, more);
  }

  /** The input has a packet again when that is in memory. */
  #await(input: number, more: Promise<boolean>): void {
    this.#awaited.add(input);
    void this.#arrive(input, more).then(() => {
      this.#awaited.delete(input);
      this.#changed?.();
    });
  }

  /** Closes the input at its end. Never rejects. */
  async #arrive(input: number, more: Promise<boolean>): Promise<void> {
    try {
      const hasPacket = await more;
      if (this.#silent.has(input)) return;
      if (this.#slow.delete(input)) this.#options.onGap({ input, kind: 'resumed' });
      if (hasPacket) this.#arrived.push(input);
      else await this.#close(input);
    } catch (error) {
      if (this.#silent.has(input)) return;
      this.#slow.delete(input);
      this.#options.onGap({ input, kind: 'failed', error });
      await this.#close(input);
    }
  }

  /** Never rejects. */
  async #close(input: number): Promise<void> {
    const reader = this.#readers[input];
    this.#options.onEnd?.(input);
    this.#readers[input] = undefined;
    try {
      await reader?.[Symbol.asyncDispose]();
    } catch {
      // Closing what was only read loses nothing.
    }
  }

  #pushArrived(): void {
    for (const input of this.#arrived.splice(0)) {
      const packet = this.#readers[input]?.packet;
      if (!packet) continue;
      this.#count(input, packet.seconds, packet.nanoseconds);
      this.#heap.push(input, packet.seconds, packet.nanoseconds);
    }
  }

  #count(input: number, seconds: number, nanoseconds: number): void {
    this.#counts[input]?.add(seconds, nanoseconds, this.#latest);
  }

  /** Waits until every input has a packet, has ended, or is slow. */
  async #settle(): Promise<boolean> {
    const { slowAfterMs, silentAfterMs = Infinity } = this.#options;
    let isSettled = false;
    // Not before what has arrived meanwhile is seen: this process itself may have been the slow one.
    const unlessSettled = (act: () => void) => setImmediate(() => (isSettled ? undefined : act()));
    const slow = startTimer(slowAfterMs, () => {
      if (this.#canGoOn) unlessSettled(() => this.#goOn());
    });
    const silent = startTimer(silentAfterMs, () => unlessSettled(() => this.#giveUp()));
    while (this.#awaited.size > 0) {
      const delayedNothing = !this.#canGoOn;
      await this.#change();
      if (delayedNothing) slow?.refresh();
      silent?.refresh();
    }
    isSettled = true;
    clearInterval(slow);
    clearInterval(silent);
    this.#pushArrived();
    return await this.#select();
  }

  /** Whether there is a packet to go on with, without those that are awaited. */
  get #canGoOn(): boolean {
    return this.#heap.size > 0 || this.#arrived.length > 0;
  }

  /** Waits no longer for those that have nothing yet. */
  #goOn(): void {
    for (const input of this.#awaited) {
      if (this.#slow.has(input)) continue;
      this.#slow.add(input);
      this.#options.onGap({ input, kind: 'slow' });
    }
    this.#awaited.clear();
    this.#changed?.();
  }

  /** Ends those that have nothing, if there is nothing else. */
  #giveUp(): void {
    if (this.#canGoOn) return;
    for (const input of this.#awaited) {
      this.#silent.add(input);
      this.#slow.delete(input);
      this.#options.onGap({ input, kind: 'silent' });
      void this.#close(input);
    }
    this.#awaited.clear();
    this.#changed?.();
  }

  /** Resolves when an input has a packet, has ended, or is slow. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = resolve;
    });
  }

  #select(): boolean | Promise<boolean> {
    const input = this.#heap.top;
    if (input < 0) return this.#slow.size > 0 ? this.#awaitSlow() : this.#end();
    const reader = this.#readers[input];
    if (!reader) return this.#selectUnopened(input);
    this.input = input;
    const { seconds, nanoseconds } = reader.packet;
    this.#latest.raise(seconds, nanoseconds);
    return true;
  }

  #end(): false {
    this.input = -1;
    return false;
  }

  #selectUnopened(input: number): Promise<boolean> {
    this.#heap.pop();
    this.input = -1;
    this.#await(input, this.#open(input));
    return this.#settle();
  }

  /** Nothing is left but the slow inputs. They delay no others, so they are waited for as at the start, which keeps their order. */
  #awaitSlow(): Promise<boolean> {
    this.input = -1;
    for (const input of this.#slow) this.#awaited.add(input);
    return this.#settle();
  }
}

function startTimer(everyMs: number, due: () => void): NodeJS.Timeout | undefined {
  return everyMs === Infinity ? undefined : setInterval(due, everyMs);
}
