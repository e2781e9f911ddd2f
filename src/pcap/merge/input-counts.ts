/** What happened to one input so far. */
export type InputCounts = {
  readonly packets: number;
  /** How often a packet has an earlier time than the one directly before it in the same input. */
  readonly stepsBack: number;
  /** Packets with an earlier time than any before them in the same input. They keep their place and their time. */
  readonly earlier: number;
  /** How far they are behind the latest one at most, in seconds. */
  readonly furthestBackSeconds: number;
  /** Packets that came after later ones of other inputs, because the input was slow. */
  readonly late: number;
};

/** Counts the packets of one input, without an allocation. */
export class InputCounter implements InputCounts {
  packets = 0;
  stepsBack = 0;
  earlier = 0;
  furthestBackSeconds = 0;
  late = 0;
  readonly #previous = new Latest();
  readonly #latest = new Latest();

  /** `merged`: the latest time of all inputs that the merge has reached. */
  add(seconds: number, nanoseconds: number, merged: Latest): void {
    this.packets += 1;
    if (this.#previous.isAfter(seconds, nanoseconds)) this.stepsBack += 1;
    this.#previous.set(seconds, nanoseconds);
    if (this.#latest.isAfter(seconds, nanoseconds)) {
      this.earlier += 1;
      const back = this.#latest.secondsSince(seconds, nanoseconds);
      if (back > this.furthestBackSeconds) this.furthestBackSeconds = back;
      return;
    }
    this.#latest.set(seconds, nanoseconds);
    if (merged.isAfter(seconds, nanoseconds)) this.late += 1;
  }
}

/** A time, at first before all others. */
export class Latest {
  #seconds = Number.NEGATIVE_INFINITY;
  #nanoseconds = 0;

  set(seconds: number, nanoseconds: number): void {
    this.#seconds = seconds;
    this.#nanoseconds = nanoseconds;
  }

  raise(seconds: number, nanoseconds: number): void {
    if (!this.isAfter(seconds, nanoseconds)) this.set(seconds, nanoseconds);
  }

  isAfter(seconds: number, nanoseconds: number): boolean {
    return this.#seconds === seconds ? this.#nanoseconds > nanoseconds : this.#seconds > seconds;
  }

  secondsSince(seconds: number, nanoseconds: number): number {
    return this.#seconds - seconds + (this.#nanoseconds - nanoseconds) / 1e9;
  }
}
