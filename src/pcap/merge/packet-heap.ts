/**
 * The inputs of a merge that have a packet, with the one that is next at the top. The key of an input is the latest time
 * of its packets so far: an input whose clock was set back keeps its order, and does not delay the others. Of two inputs
 * with the same key, the first one is next.
 */
export class PacketHeap {
  readonly #seconds: Float64Array;
  readonly #nanoseconds: Float64Array;
  readonly #heap: Int32Array;
  #size = 0;

  constructor(inputs: number) {
    this.#seconds = new Float64Array(inputs).fill(Number.NEGATIVE_INFINITY);
    this.#nanoseconds = new Float64Array(inputs);
    this.#heap = new Int32Array(inputs);
  }

  get size(): number {
    return this.#size;
  }

  /** The input that is next; -1 if there is none. */
  get top(): number {
    return this.#size === 0 ? -1 : (this.#heap[0] ?? -1);
  }

  /** Adds an input whose next packet has this time. */
  push(input: number, seconds: number, nanoseconds: number): void {
    this.#raise(input, seconds, nanoseconds);
    let at = this.#size;
    this.#size += 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = this.#heap[parent] ?? 0;
      if (!this.#isBefore(input, other)) break;
      this.#heap[at] = other;
      at = parent;
    }
    this.#heap[at] = input;
  }

  #isStepBack(input: number, seconds: number, nanoseconds: number): boolean {
    const latest = this.#seconds[input] ?? 0;
    return seconds < latest || (seconds === latest && nanoseconds < (this.#nanoseconds[input] ?? 0));
  }

  /** The input at the top has another packet, with this time. */
  replaceTop(seconds: number, nanoseconds: number): void {
    const input = this.#heap[0] ?? 0;
    this.#raise(input, seconds, nanoseconds);
    this.#sink(input);
  }

  /** The input at the top has no packet now. */
  pop(): void {
    this.#size -= 1;
    if (this.#size > 0) this.#sink(this.#heap[this.#size] ?? 0);
  }

  #raise(input: number, seconds: number, nanoseconds: number): void {
    if (this.#isStepBack(input, seconds, nanoseconds)) return;
    this.#seconds[input] = seconds;
    this.#nanoseconds[input] = nanoseconds;
  }

  /** Puts the input where it belongs, from the top down. */
  #sink(input: number): void {
    const heap = this.#heap;
    const size = this.#size;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#isBefore(heap[child + 1] ?? 0, heap[child] ?? 0)) child += 1;
      const other = heap[child] ?? 0;
      if (!this.#isBefore(other, input)) break;
      heap[at] = other;
      at = child;
    }
    heap[at] = input;
  }

  #isBefore(a: number, b: number): boolean {
    const secondsA = this.#seconds[a] ?? 0;
    const secondsB = this.#seconds[b] ?? 0;
    if (secondsA !== secondsB) return secondsA < secondsB;
    const nanosecondsA = this.#nanoseconds[a] ?? 0;
    const nanosecondsB = this.#nanoseconds[b] ?? 0;
    return nanosecondsA === nanosecondsB ? a < b : nanosecondsA < nanosecondsB;
  }
}
