/** Runs what it is given one after the other. */
export type InTurn = <R>(work: () => Promise<R>) => Promise<R>;

export function inTurn(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };
}
