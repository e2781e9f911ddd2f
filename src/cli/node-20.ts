import { setMaxListeners } from 'node:events';

/**
 * Adds to Node.js 20.4 what it lacks of the library that the program uses. The bundle has it before everything else; what
 * Node.js has already stays. tsconfig.node-20.json lets the compiler say what else would be missing.
 */
function addMissing(target: object, name: string, value: unknown): void {
  if (!(name in target))
    Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
}

type Release = () => unknown;

/** The releases of a stack, which dispose of it in the opposite order. */
class Releases {
  #releases: Release[] = [];
  #isDisposed = false;

  add(release: Release): void {
    if (this.#isDisposed) throw new ReferenceError('the stack is disposed of');
    this.#releases.push(release);
  }

  moved(): Releases {
    if (this.#isDisposed) throw new ReferenceError('the stack is disposed of');
    const moved = new Releases();
    moved.#releases = this.#releases;
    this.#releases = [];
    this.#isDisposed = true;
    return moved;
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    const failures: unknown[] = [];
    for (const release of this.#releases.splice(0).toReversed()) {
      try {
        await release();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 1) throw new AggregateError(failures, 'several resources could not be disposed of');
    if (failures.length > 0) throw failures[0];
  }
}

/** As ECMAScript 2026 has it, but for the error of several failures, which is an AggregateError. */
class AsyncStack implements AsyncDisposable {
  readonly #releases: Releases;

  constructor(releases = new Releases()) {
    this.#releases = releases;
  }

  get disposed(): boolean {
    return this.#releases.isDisposed;
  }

  use<T extends AsyncDisposable | Disposable | null | undefined>(value: T): T {
    if (value === null || value === undefined) return value;
    const resource: Partial<AsyncDisposable & Disposable> = value;
    const release = resource[Symbol.asyncDispose] ?? resource[Symbol.dispose];
    if (release === undefined) throw new TypeError('the value cannot be disposed of');
    this.#releases.add(() => release.call(value));
    return value;
  }

  adopt<T>(value: T, release: (value: T) => PromiseLike<void> | void): T {
    this.#releases.add(() => release(value));
    return value;
  }

  defer(release: () => PromiseLike<void> | void): void {
    this.#releases.add(release);
  }

  move(): AsyncStack {
    return new AsyncStack(this.#releases.moved());
  }

  async disposeAsync(): Promise<void> {
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#releases.dispose();
  }
}

function ignore(): void {}

function withResolvers<T>() {
  let resolve: (value: T | PromiseLike<T>) => void = ignore;
  let reject: (reason: unknown) => void = ignore;
  const promise = new Promise<T>((resolveIt, rejectIt) => {
    resolve = resolveIt;
    reject = rejectIt;
  });
  return { promise, resolve, reject };
}

function groupBy<K, T>(items: Iterable<T>, keyOf: (item: T, index: number) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  let index = 0;
  for (const item of items) {
    const key = keyOf(item, index);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
    index += 1;
  }
  return groups;
}

addMissing(globalThis, 'AsyncDisposableStack', AsyncStack);
addMissing(Promise, 'withResolvers', withResolvers);
addMissing(Map, 'groupBy', groupBy);
/** Newer ones have no limit for signals, which all that a command does at once listens to, and which end with it. */
if (Number.parseInt(process.versions.node, 10) < 24) setMaxListeners(0);
