/** Runs `work` after all work before it has ended, and returns its result or its error. */
export type SerialQueue = <R>(work: () => Promise<R>) => Promise<R>;

/** A queue that runs one piece of work at a time; an error does not stop the next one. */
export function serialQueue(): SerialQueue {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };
}
