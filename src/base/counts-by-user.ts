/** How many are open, of all users and of each. */
export type CountsByUser = {
  readonly all: () => number;
  readonly of: (user: string) => number;
  /** Counts one more until it is disposed of, once. Undefined: of nobody that is known, so only among all. */
  readonly enter: (user: string | undefined) => Disposable;
};

export function countsByUser(): CountsByUser {
  const byUser = new Map<string, number>();
  let all = 0;

  function change(user: string | undefined, by: 1 | -1): void {
    all += by;
    if (user === undefined) return;
    const count = (byUser.get(user) ?? 0) + by;
    if (count === 0) byUser.delete(user);
    else byUser.set(user, count);
  }

  return {
    all: () => all,
    of: (user) => byUser.get(user) ?? 0,
    enter(user) {
      change(user, 1);
      let isOpen = true;
      return {
        [Symbol.dispose]() {
          if (isOpen) change(user, -1);
          isOpen = false;
        },
      };
    },
  };
}
