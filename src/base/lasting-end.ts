/** An end that comes once, late, and that much work is waited for no longer than. */
export type LastingEnd = {
  readonly come: () => void;
  /**
   * Resolves as `work` does, or to undefined when the end comes before. Promise.race would leave something of each work
   * at the end, until it comes.
   */
  readonly unlessEnded: <T>(work: Promise<T>) => Promise<T | undefined>;
};

export function lastingEnd(): LastingEnd {
  const waiting = new Set<() => void>();
  let hasCome = false;
  return {
    come() {
      hasCome = true;
      for (const end of waiting) end();
    },
    async unlessEnded(work) {
      if (hasCome) return await Promise.race([work, Promise.resolve(undefined)]);
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const end = () => resolve(undefined);
      waiting.add(end);
      try {
        return await Promise.race([work, promise]);
      } finally {
        waiting.delete(end);
      }
    },
  };
}
