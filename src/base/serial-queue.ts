/** Runs what it is given one after the other. */
export type SerialQueue = <R>(work: () => Promise<R>) => Promise<R>;

export function inTurn(): SerialQueue {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };
}
