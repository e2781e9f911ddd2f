import type { Damage } from '../packet-reader.ts';

/** Where and why reading failed: without the name of the input. */
export type FoundDamage = {
  readonly kind: Damage['kind'];
  readonly offset: number;
  readonly what: string;
  readonly resumedAt?: number | undefined;
};

/** The damage of one capture. It is bounded: the places after the first hundred are only counted. */
export class DamageList {
  readonly list: Damage[] = [];
  #more = 0;

  add(name: string, { kind, offset, what, resumedAt }: FoundDamage): void {
    const resumed = resumedAt === undefined ? '' : `; read on from byte ${resumedAt}`;
    this.#push({ message: `${name}, byte ${offset}: ${what}${resumed}`, kind, offset, resumedAt });
  }

  /** Adds an input that could not be read at all. */
  addInput(message: string): void {
    this.#push({ message, kind: 'corrupt', offset: 0, resumedAt: undefined });
  }

  /** Adds one entry for all that were only counted. */
  finish(): void {
    const last = this.list.at(-1);
    if (this.#more === 0 || last === undefined) return;
    this.list.push({ ...last, message: `${this.#more} more damaged places after byte ${last.offset}` });
    this.#more = 0;
  }

  #push(damage: Damage): void {
    if (this.list.length < maxDamages) this.list.push(damage);
    else this.#more += 1;
  }
}

const maxDamages = 100;
