import type { CaptureInterface } from '../capture-interface.ts';
import type { CurrentPacket } from '../packet-reader.ts';

/**
 * Converts the 64-bit timestamps of an interface into seconds and nanoseconds since 1970. The division of the upper 32
 * bits is kept: they change every 4 seconds or more, and numbers hold the rest exactly.
 */
export class InterfaceClock {
  readonly #unitsPerSecond: bigint;
  readonly #offsetSeconds: bigint;
  /** The units per second, if the fast way is exact. */
  readonly #units: number;
  readonly #nanosecondsPerUnit: number;
  #high = -1;
  /** `high` times 2^32 units: whole seconds, and the units that remain. */
  #baseSeconds = 0;
  #baseUnits = 0;

  constructor({
    resolution: { base, exponent },
    offsetSeconds,
  }: Pick<CaptureInterface, 'resolution' | 'offsetSeconds'>) {
    this.#unitsPerSecond = BigInt(base) ** BigInt(exponent);
    this.#offsetSeconds = offsetSeconds;
    const isExact = base === 10 && exponent <= 9;
    this.#units = isExact ? Number(this.#unitsPerSecond) : 0;
    this.#nanosecondsPerUnit = isExact ? 10 ** (9 - exponent) : 0;
  }

  /** Sets all four times of the packet. */
  set(packet: CurrentPacket, high: number, low: number): void {
    packet.timeHigh = high;
    packet.timeLow = low;
    if (this.#units === 0) {
      this.#setSlowly(packet, high, low);
      return;
    }
    if (high !== this.#high) this.#divide(high);
    const units = this.#baseUnits + low;
    const seconds = Math.floor(units / this.#units);
    packet.seconds = this.#baseSeconds + seconds;
    packet.nanoseconds = (units - seconds * this.#units) * this.#nanosecondsPerUnit;
  }

  #divide(high: number): void {
    const units = BigInt(high) << 32n;
    this.#high = high;
    this.#baseSeconds = Number(units / this.#unitsPerSecond + this.#offsetSeconds);
    this.#baseUnits = Number(units % this.#unitsPerSecond);
  }

  /** Resolutions that hardly anybody uses: powers of 2, and finer than nanoseconds. */
  #setSlowly(packet: CurrentPacket, high: number, low: number): void {
    const units = (BigInt(high) << 32n) | BigInt(low);
    packet.seconds = Number(units / this.#unitsPerSecond + this.#offsetSeconds);
    packet.nanoseconds = Number(((units % this.#unitsPerSecond) * 1_000_000_000n) / this.#unitsPerSecond);
  }
}
